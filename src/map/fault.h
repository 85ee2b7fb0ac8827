/* map/fault.h: faults that hardware would raise, as they are made */
#ifndef QUIRE_MAP_FAULT_H
#define QUIRE_MAP_FAULT_H

#include <quire/fault.h>

/* For `return map_fault(...)` of a function that says whether it went well. */
static inline bool map_fault(struct quire_fault *fault, uint8_t vector, uint32_t error_code,
                             enum quire_fault_reason reason)
{
    *fault = (struct quire_fault){vector, (uint8_t)reason, error_code, 0};
    return false;
}

#endif
