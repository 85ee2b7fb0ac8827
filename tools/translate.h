/* tools/translate.h: quire translate: where an address goes, step by step
 *
 *     translate_options.c ── what was asked ──► translate.c ── a translation ──► translate_paper.c
 *                              tables: translate_tables.c           or           translate_json.c
 *     translate_pid.c: the same for a live process
 */
#ifndef TOOLS_TRANSLATE_H
#define TOOLS_TRANSLATE_H

#include <quire/map.h>
#include <stdio.h>

#define TRANSLATE_SCHEMA 2 /* of the JSON */
#define MAX_GDT_BYTES 65536u
#define MAX_MAPS 64u

/* VIRT=PHYS[,SIZE][,FLAGS] */
struct map_spec {
    uint64_t virt, phys, size;
    uint64_t bits; /* QUIRE_PTE_, without PRESENT: an entry that isn't present */
    bool large;    /* by the largest pages that fit */
};

struct translate {
    enum quire_pt_format_id mode;
    const char *gdt;        /* a file; NULL: Linux's */
    const char *of_segment; /* an option that was given and says through which; NULL: none */
    bool has_selector, has_register, user, json, has_cr3, has_address;
    uint16_t selector;
    enum quire_access access;
    enum quire_segment_register which;
    unsigned nr_maps;
    struct map_spec map[MAX_MAPS];
    const char *snapshot;
    uint64_t cr3, pid, address;
};

/* Ends the process on a mistake. */
void parse_translate_options(struct translate *options, int argc, char **argv);

/* Simulated physical memory with tables in it, and their root. */
struct tables {
    struct quire_phys_memory memory;
    uint64_t cr3;
    bool has_size; /* a file's, in bytes */
    uint64_t size;
};

/* Builds tables for the --map options. False: it complained. */
bool build_tables(struct tables *tables, const struct translate *options);
bool open_snapshot(struct tables *tables, const struct translate *options);

/* What came out: each part is there if the ones before went well. */
struct translation {
    const struct translate *options;
    const struct quire_pt_format *format;
    /* Segment. */
    uint16_t selector, gdt_limit;
    bool null_selector, has_descriptor, is_64bit;
    uint64_t descriptor_raw, descriptor_at;
    struct quire_descriptor descriptor;
    /* Linear. */
    bool has_linear, flat;
    quire_linear_t linear;
    /* Walk. */
    bool has_tables, walked, has_phys;
    uint64_t cr3;          /* if there are tables */
    bool has_memory_bytes; /* a snapshot's length */
    uint64_t memory_bytes;
    struct quire_walk walk;
    struct quire_walk_step step[QUIRE_NR_PT_LEVELS];
    struct quire_fault fault; /* vector 0: none */
};

void print_paper(const struct translation *t);
void print_json(const struct translation *t);

/* The part of both that a split alone has: indexes of each level and the offset. */
unsigned split_index(const struct quire_pt_format *format, unsigned level, quire_linear_t linear);
extern const char *const level_names[QUIRE_NR_PT_LEVELS]; /* PT ... PGD */
/* The manual's name of a level's table: "directory". */
const char *intel_name(enum quire_pt_format_id mode, unsigned level);
/* Lines of the split, with the steps of the walk beside them if `t` walked. */
void print_levels(const struct translation *t);
const char *vector_name(unsigned vector);
/* "present, writable, ..." */
void flags_text(const struct quire_pt_format *format, uint64_t entry, bool leaf, bool pdpte,
                unsigned level, char *text, size_t size);

/* --pid; the exit status. */
int translate_pid(const struct translate *options);

#endif
