/* map/fault.c: faults in words */
#include <quire/fault.h>

static const char *const texts[QUIRE_NR_FAULT_REASONS] = {
    [QUIRE_FAULT_NONE] = "there is no fault",
    [QUIRE_FAULT_NULL_SELECTOR] = "the selector is null",
    [QUIRE_FAULT_NO_LDT] = "the selector is of the LDT, and there is none",
    [QUIRE_FAULT_TABLE_LIMIT] = "the selector's descriptor lies beyond the table's limit",
    [QUIRE_FAULT_TYPE] = "the segment isn't of a kind that this register takes",
    [QUIRE_FAULT_PRIVILEGE] = "privilege: CPL, RPL and DPL don't allow it",
    [QUIRE_FAULT_NOT_PRESENT] = "the segment isn't present",
    [QUIRE_FAULT_LIMIT] = "the offset lies outside the segment's limit",
    [QUIRE_FAULT_READ_ONLY] = "the segment can't be written",
    [QUIRE_FAULT_EXECUTE_ONLY] = "the code segment can't be read",
    [QUIRE_FAULT_NON_CANONICAL] = "the linear address isn't canonical",
    [QUIRE_FAULT_PAGE_ABSENT] = "the entry isn't present",
    [QUIRE_FAULT_RESERVED_BITS] = "a reserved bit of the entry is set",
    [QUIRE_FAULT_PAGE_SUPERVISOR] = "a user-mode access to a supervisor page",
    [QUIRE_FAULT_PAGE_READ_ONLY] = "the page can't be written",
    [QUIRE_FAULT_PAGE_NX] = "the page can't be executed",
    [QUIRE_FAULT_SMEP] = "SMEP: the supervisor doesn't execute user pages",
    [QUIRE_FAULT_SMAP] = "SMAP: the supervisor doesn't touch user pages while EFLAGS.AC is clear",
    [QUIRE_FAULT_REGISTERS] = "the control registers don't go together or have reserved bits set",
    [QUIRE_FAULT_NO_MEMORY] = "there is no memory at the physical address",
};

const char *quire_fault_reason_text(enum quire_fault_reason reason)
{
    return (unsigned)reason < QUIRE_NR_FAULT_REASONS ? texts[reason] : "an unknown reason";
}
