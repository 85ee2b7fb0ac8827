/* ports/x86/clock.c: nanoseconds from the time-stamp counter
 *
 * The first call measures the counter against channel 2 of the 8254 timer, which runs at
 * 1193182 Hz on every PC and can be polled without interrupts (port 0x61: bit 0 its gate, bit 5
 * its output). Then ns = ticks * multiplier / 2^24. The multiplier fits in 32 bits for counters of
 * 4 MHz and faster, and the product is taken in halves, so that it doesn't overflow for centuries.
 */
#include <quire/port.h>

#include "base/bits.h"

#define PIT_CHANNEL_2 0x42
#define PIT_COMMAND 0x43
#define PIT_CHANNEL_2_MODE_0 0xb0 /* low byte then high byte, output rises at terminal count */
#define GATE_PORT 0x61
#define GATE_BIT 0x01
#define SPEAKER_BIT 0x02
#define OUTPUT_BIT 0x20

#define CALIBRATION_TICKS 11932     /* of 1193182 a second: 10 ms */
#define CALIBRATION_NS 10000151ull  /* the same, to the nanosecond */
#define CALIBRATION_POLLS 100000000 /* a timer that never ends isn't there */
#define WARM_UP_TICKS 256
#define MOST_DOUBT 500       /* of a measurement: one in so many */
#define MOST_MEASUREMENTS 20 /* the best is taken when none is so good */
#define SHIFT 24

static uint32_t multiplier; /* 0: not measured yet */
static uint64_t first_ticks;

static inline uint64_t read_ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static inline void out(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* How far the counter gets while the timer counts down. An emulator may be kept from running
 * between any two instructions, so the count begins and ends somewhere between two readings each:
 * `doubt` is what lies between those. */
struct measurement {
    uint64_t ticks, doubt;
};

static struct measurement measure(unsigned timer_ticks)
{
    uint64_t before, after, begins, begun, polled;
    unsigned polls = 0;
    bool ended;
    out(PIT_COMMAND, PIT_CHANNEL_2_MODE_0);
    out(PIT_CHANNEL_2, (uint8_t)timer_ticks);
    begins = read_ticks();
    out(PIT_CHANNEL_2, (uint8_t)(timer_ticks >> 8));
    begun = polled = read_ticks();
    do {
        before = polled;
        polled = read_ticks();
        if (polls++ == CALIBRATION_POLLS)
            quire_port_panic("clock: the 8254 timer doesn't count");
        ended = in(GATE_PORT)&OUTPUT_BIT;
        after = read_ticks();
    } while (!ended);
    uint64_t doubt = begun - begins + after - before;
    return (struct measurement){before - begun + doubt / 2, doubt};
}

static uint64_t measure_well(void)
{
    struct measurement best = measure(CALIBRATION_TICKS);
    for (unsigned i = 1; i < MOST_MEASUREMENTS && best.doubt > best.ticks / MOST_DOUBT; i++) {
        struct measurement next = measure(CALIBRATION_TICKS);
        if (next.doubt < best.doubt)
            best = next;
    }
    return best.ticks;
}

static void calibrate(void)
{
    uint8_t gate = in(GATE_PORT);
    out(GATE_PORT, (uint8_t)((gate & ~SPEAKER_BIT) | GATE_BIT));
    /* The first run through fills caches, an emulator's translations among them. */
    (void)measure(WARM_UP_TICKS);
    uint64_t ticks = measure_well();
    out(GATE_PORT, gate);
    if (ticks < (CALIBRATION_NS >> (32 - SHIFT)) || ticks > UINT32_MAX)
        quire_port_panic(
            "clock: the time-stamp counter is slower than 4 MHz or faster than 400 GHz");
    multiplier = (uint32_t)quire_div64(CALIBRATION_NS << SHIFT, (uint32_t)ticks);
    first_ticks = read_ticks();
}

uint64_t quire_x86_clock_ns(void)
{
    if (!multiplier)
        calibrate();
    return quire_x86_ticks_to_ns(read_ticks() - first_ticks);
}

uint64_t quire_x86_ticks_to_ns(uint64_t ticks)
{
    return (((ticks >> 32) * multiplier) << (32 - SHIFT)) +
           (((ticks & UINT32_MAX) * multiplier) >> SHIFT);
}
