/* tools/report_space.h: address spaces, as events say: areas, and which of their pages are there
 */
#ifndef TOOLS_REPORT_SPACE_H
#define TOOLS_REPORT_SPACE_H

#include "events.h"
#include "report_model.h"

struct report_space {
    uint64_t number;
    struct report_process *process; /* NULL: nobody's yet */
    uint64_t minor, major, failed;
    uint64_t resident[REPORT_NR_RESIDENT];
    struct space_area {
        uint64_t start, pages, flags, kind;
        bool written; /* private, of a file, and some pages aren't the file's */
    } * area;         /* by start */
    size_t nr_areas, room;
    bool to_be_looked_at; /* as soon as it is settled */
    struct space_pages *pages;
};

/* `chunks`: what all spaces of a report take together, which is bounded. */
struct report_space *space_new(uint64_t number, uint64_t *chunks);
void space_free(struct report_space *space);

/* A fork's child has what the parent has. Where that would take too much, it has nothing, and isn't
 * settled. */
void space_inherit(struct report_space *child, const struct report_space *parent);
void space_area(struct report_space *space, const struct event *event);
void space_area_end(struct report_space *space, uint64_t start);

/* Pages are there, or aren't. */
void space_map(struct report_space *space, uint64_t page, uint64_t pages);
void space_unmap(struct report_space *space, uint64_t page, uint64_t pages);
void space_move(struct report_space *space, uint64_t from, uint64_t to, uint64_t pages);
/* After a fault that went well: the page is there, but for a read one of anonymous memory, which
 * gets the frame of zeros that is nobody's. */
void space_fault(struct report_space *space, const struct event *event);

uint64_t space_resident(const struct report_space *space);
/* As many pages are there as are counted as resident: not so while a fault or the like is under
 * way, whose parts are told of one after the other. */
bool space_is_settled(const struct report_space *space);
/* What it is now. */
void space_look(const struct report_space *space, uint64_t time_ns, struct report_areas *areas);

#endif
