/* kernel/rtc.c: the date from the PC's battery-backed clock (Motorola MC146818)
 *
 * Its registers change once a second, and for 244 us before that a bit warns. So they are read
 * until two readings are the same with the bit clear, which takes three at most unless the clock is
 * broken; after MAX_READINGS what is there is taken. The clock is taken to be UTC, as QEMU's is.
 */
#include "rtc.h"

#include <quire/port.h>

#include "cpu.h"
#include "kernel.h"
#include "time_units.h"

#define RTC_INDEX 0x70
#define RTC_DATA 0x71
#define SECONDS 0x00
#define MINUTES 0x02
#define HOURS 0x04
#define DAY 0x07
#define MONTH 0x08
#define YEAR 0x09
#define STATUS_A 0x0a
#define STATUS_B 0x0b
#define CENTURY 0x32 /* as QEMU and most PCs have it; elsewhere it isn't 19 to 29 */
#define UPDATING 0x80u
#define IS_24_HOURS 0x02u
#define IS_BINARY 0x04u
#define AFTERNOON 0x80u
#define MAX_READINGS 100000u

struct date {
    unsigned second, minute, hour, day, month, year, century;
};

static unsigned read_register(uint8_t number)
{
    cpu_out8(RTC_INDEX, number);
    return cpu_in8(RTC_DATA);
}

static struct date read_registers(void)
{
    return (struct date){
        .second = read_register(SECONDS),
        .minute = read_register(MINUTES),
        .hour = read_register(HOURS),
        .day = read_register(DAY),
        .month = read_register(MONTH),
        .year = read_register(YEAR),
        .century = read_register(CENTURY),
    };
}

static struct date read_twice(void)
{
    struct date last = read_registers();
    for (unsigned i = 0; i < MAX_READINGS; i++) {
        bool updating = read_register(STATUS_A) & UPDATING;
        struct date date = read_registers();
        if (!updating && !memcmp(&date, &last, sizeof date))
            break;
        last = date;
    }
    return last;
}

static unsigned from_bcd(unsigned value)
{
    return (value >> 4) * 10 + (value & 15);
}

static struct date read_date(void)
{
    struct date date = read_twice();
    unsigned status = read_register(STATUS_B);
    bool afternoon = !(status & IS_24_HOURS) && (date.hour & AFTERNOON);
    if (!(status & IS_24_HOURS))
        date.hour &= ~AFTERNOON;
    if (!(status & IS_BINARY)) {
        unsigned *const value[] = {&date.second, &date.minute, &date.hour,   &date.day,
                                   &date.month,  &date.year,   &date.century};
        for (unsigned i = 0; i < sizeof value / sizeof value[0]; i++)
            *value[i] = from_bcd(*value[i]);
    }
    if (!(status & IS_24_HOURS))
        date.hour = date.hour % 12 + (afternoon ? 12 : 0);
    bool century_is_known = date.century >= 19 && date.century <= 29;
    date.year += century_is_known ? date.century * 100 : date.year < 70 ? 2000 : 1900;
    return date;
}

/* Days since 1970-01-01. Years begin in March here, so that the leap day comes last. */
static uint64_t days_of(const struct date *date)
{
    unsigned year = date->year - (date->month <= 2);
    unsigned month = (date->month + 9) % 12;
    unsigned days_of_months = (month * 153 + 2) / 5;
    unsigned leap_days = year / 4 - year / 100 + year / 400;
    return (uint64_t)year * 365 + leap_days + days_of_months + date->day - 1 - 719468;
}

static uint64_t seconds_now(void)
{
    struct date date = read_date();
    return days_of(&date) * 86400 + date.hour * 3600ull + date.minute * 60ull + date.second;
}

uint64_t realtime_offset_ns(void)
{
    static uint64_t offset;
    if (!offset)
        offset = seconds_now() * NS_PER_SECOND - quire_port_clock_ns();
    return offset;
}

uint64_t realtime_ns(void)
{
    return realtime_offset_ns() + quire_port_clock_ns();
}
