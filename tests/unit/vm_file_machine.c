#include "tests/unit/vm_file_machine.h"

static const enum quire_pt_format_id formats[] = {QUIRE_PT_FORMAT_X86_64, QUIRE_PT_FORMAT_I386,
                                                  QUIRE_PT_FORMAT_PAE};

void on_each_format(void (*body)(struct quire_mm *mm))
{
    for (unsigned i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (!vm_boot(16 * MIB, formats[i]))
            return;
        struct quire_mm *mm = mm_new();
        run_on(mm);
        last_result = QUIRE_VM_MINOR;
        body(mm);
        quire_vm_check(test_vm);
        mm_end(mm);
        vm_end();
    }
}

struct quire_mapping_info info_of_file(struct quire_mapping *file)
{
    struct quire_mapping_info info;
    quire_mapping_info(file, &info);
    return info;
}

struct quire_mapping *shm_of(struct quire_mapping_config config)
{
    struct quire_mapping *shm = NULL;
    CHECK_EQ(quire_mapping_create(&shm, test_vm, &config), 0);
    return shm;
}

uint64_t word_at(struct quire_mapping *file, uint64_t at)
{
    uint64_t word = 0;
    CHECK_EQ(quire_mapping_read(file, at, &word, sizeof word), sizeof word);
    return word;
}

void put_word(struct quire_mapping *file, uint64_t at, uint64_t word)
{
    CHECK_EQ(quire_mapping_write(file, at, &word, sizeof word), sizeof word);
}

uint64_t stored(uint64_t at)
{
    uint64_t word;
    __builtin_memcpy(&word, file_store.bytes + at, sizeof word);
    return word;
}

bool no_access(quire_linear_t at)
{
    uint64_t value;
    last_result = QUIRE_VM_MINOR;
    return !peek(at, &value) && last_result == QUIRE_VM_BUS_ADRERR;
}

void reclaim_all(void)
{
    for (unsigned i = 0; i < 20; i++)
        (void)quire_vm_reclaim(test_vm, 0, 200);
}
