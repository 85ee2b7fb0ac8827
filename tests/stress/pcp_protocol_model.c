/* tests/stress/pcp_protocol_model.c: the way into a CPU's page lists, in every interleaving
 *
 * src/base/percpu.h keeps a CPU and who drains it apart with plain stores and an asymmetric fence.
 * Here the protocol is a few instructions, run on a machine of three CPUs with store buffers
 * (x86-TSO: Sewell et al., "x86-TSO", CACM 2010): a store goes to the CPU's buffer, its own loads
 * see it there, and it reaches memory at any later time, in order. All states are visited. Checked
 * is that nobody is among the lists while another is, that no update of them is lost, and that
 * everybody comes to an end. To know that the check can fail, the same is done with each part of
 * the protocol left out in turn.
 *
 *   CPU 0        enters the lists twice, or goes elsewhere when it finds the pointer to them
 * hidden; at any point of that an interrupt, which has no CPU number and so no lists CPU 1 and 2
 * hide the lists, wait, empty them under the zone's lock, and show them when both are done
 */
#include "tests/harness/harness.h"

#include "base/compiler.h"

/* ---- programs -------------------------------------------------------------------------------- */

enum variable { BUSY, HIDDEN, CLOSED, MEM_LOCK, ZONE_LOCK, LIST, NR_VARIABLES };

enum operation {
    LOAD,      /* register = variable */
    STORE,     /* variable = value */
    STORE_INC, /* variable = register + 1: an update of the lists, counted */
    STORE_SUM, /* variable = register + value */
    STORE_IF,  /* variable = register + value isn't 0 */
    TAKE,      /* waits until the variable is 0, and makes it 1, atomically */
    FENCE,     /* this CPU's stores are in memory */
    FENCE_ALL, /* all CPUs' stores are */
    IF_SET,    /* goes to `value` when the register isn't 0 */
    ENTER,
    LEAVE,
    END
};

struct instruction {
    uint8_t operation, variable;
    int8_t value;
};

#define MAX_LENGTH 32
struct program {
    struct instruction code[MAX_LENGTH];
    unsigned length;
};

/* What is left out, to see that it is missed. */
enum omission {
    NOTHING_LEFT_OUT,
    HEAVY_FENCE,    /* the closer fences only itself */
    LIGHT_FENCE,    /* the compiler loads the pointer before it stores `busy` */
    NO_NUMBER,      /* an interrupt has the number of the CPU that it interrupts */
    WAIT_FOR_BUSY,  /* the closer doesn't wait */
    COUNT_CLOSED,   /* the first closer that is done shows the lists */
    SYMMETRIC_FENCE /* nothing is missing: both sides fence themselves, for ports without heavy */
};

static void emit(struct program *program, enum operation operation, enum variable variable,
                 int value)
{
    program->code[program->length++] =
        (struct instruction){(uint8_t)operation, (uint8_t)variable, (int8_t)value};
}

static void emit_update(struct program *program)
{
    emit(program, ENTER, LIST, 0);
    emit(program, LOAD, LIST, 0);
    emit(program, STORE_INC, LIST, 0);
    emit(program, LEAVE, LIST, 0);
}

/* cpu_enter, cpu_pcp, an update if that is a list, cpu_leave. */
static void emit_owner(struct program *program, enum omission omission)
{
    if (omission == LIGHT_FENCE)
        emit(program, LOAD, HIDDEN, 0);
    emit(program, STORE, BUSY, 1);
    if (omission == SYMMETRIC_FENCE)
        emit(program, FENCE, BUSY, 0);
    if (omission != LIGHT_FENCE)
        emit(program, LOAD, HIDDEN, 0);
    unsigned branch = program->length;
    emit(program, IF_SET, HIDDEN, 0);
    emit_update(program);
    program->code[branch].value = (int8_t)program->length;
    emit(program, STORE, BUSY, 0);
}

/* change_closed */
static void emit_change(struct program *program, int by, enum omission omission)
{
    emit(program, TAKE, MEM_LOCK, 0);
    emit(program, LOAD, CLOSED, 0);
    emit(program, STORE_SUM, CLOSED, by);
    if (omission == COUNT_CLOSED)
        emit(program, STORE, HIDDEN, by > 0);
    else
        emit(program, STORE_IF, HIDDEN, by);
    emit(program, STORE, MEM_LOCK, 0);
}

static void emit_closer(struct program *program, enum omission omission)
{
    bool only_itself = omission == HEAVY_FENCE || omission == SYMMETRIC_FENCE;
    emit_change(program, 1, omission);
    emit(program, only_itself ? FENCE : FENCE_ALL, BUSY, 0);
    if (omission != WAIT_FOR_BUSY) {
        emit(program, LOAD, BUSY, 0);
        emit(program, IF_SET, BUSY, (int)program->length - 1);
    }
    emit(program, TAKE, ZONE_LOCK, 0);
    emit_update(program);
    emit(program, STORE, ZONE_LOCK, 0);
    emit_change(program, -1, omission);
}

/* ---- states ---------------------------------------------------------------------------------- */

#define NR_CPUS 3u
#define MAX_BUFFER 6u

/* What runs: the programs of the CPUs, and the interrupt on CPU 0. */
enum { OWNER, CLOSER_1, CLOSER_2, INTERRUPT, NR_CONTEXTS };

struct state {
    int8_t memory[NR_VARIABLES];
    uint8_t position[NR_CONTEXTS];
    int8_t reg[NR_CONTEXTS];
    uint8_t interrupts; /* 0: to come; 1: under way; 2: over */
    uint8_t inside;     /* contexts among the lists */
    int8_t updates;     /* of the lists */
    struct {
        uint8_t length;
        uint8_t variable[MAX_BUFFER];
        int8_t value[MAX_BUFFER];
    } buffer[NR_CPUS]; /* the oldest first; the rest 0 */
};

struct outcome {
    unsigned long states;
    bool two_inside, update_lost, stuck, too_large;
};

#define TABLE_SIZE (1u << 20)
static struct state table[TABLE_SIZE]; /* visited; a stack as well, by `pending` */
static bool used[TABLE_SIZE];
static unsigned pending[TABLE_SIZE];
static unsigned nr_pending;
static struct program programs[NR_CONTEXTS];
static struct outcome outcome;

static void visit(const struct state *state)
{
    uint64_t hash = 0xcbf29ce484222325u;
    const unsigned char *byte = (const unsigned char *)state;
    for (unsigned i = 0; i < sizeof *state; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    unsigned at = (unsigned)(hash >> 32) & (TABLE_SIZE - 1);
    while (used[at]) {
        if (!__builtin_memcmp(&table[at], state, sizeof *state))
            return;
        at = (at + 1) & (TABLE_SIZE - 1);
    }
    if (outcome.states > TABLE_SIZE / 2) {
        outcome.too_large = true;
        return;
    }
    used[at] = true;
    table[at] = *state;
    pending[nr_pending++] = at;
    outcome.states++;
}

static unsigned cpu_of(unsigned context)
{
    return context == INTERRUPT ? OWNER : context;
}

static int8_t load(const struct state *state, unsigned cpu, unsigned variable)
{
    for (unsigned i = state->buffer[cpu].length; i-- > 0;)
        if (state->buffer[cpu].variable[i] == variable)
            return state->buffer[cpu].value[i];
    return state->memory[variable];
}

static bool store(struct state *state, unsigned cpu, unsigned variable, int value)
{
    unsigned length = state->buffer[cpu].length;
    if (length == MAX_BUFFER)
        return false;
    state->buffer[cpu].variable[length] = (uint8_t)variable;
    state->buffer[cpu].value[length] = (int8_t)value;
    state->buffer[cpu].length++;
    return true;
}

static bool drain_oldest(struct state *state, unsigned cpu)
{
    unsigned length = state->buffer[cpu].length;
    if (!length)
        return false;
    state->memory[state->buffer[cpu].variable[0]] = state->buffer[cpu].value[0];
    for (unsigned i = 0; i + 1 < length; i++) {
        state->buffer[cpu].variable[i] = state->buffer[cpu].variable[i + 1];
        state->buffer[cpu].value[i] = state->buffer[cpu].value[i + 1];
    }
    state->buffer[cpu].variable[length - 1] = 0;
    state->buffer[cpu].value[length - 1] = 0;
    state->buffer[cpu].length--;
    return true;
}

static bool buffers_are_empty(const struct state *state)
{
    for (unsigned cpu = 0; cpu < NR_CPUS; cpu++)
        if (state->buffer[cpu].length)
            return false;
    return true;
}

static void enter(struct state *state, unsigned context)
{
    if (state->inside)
        outcome.two_inside = true;
    state->inside |= (uint8_t)(1u << context);
}

/* Runs the context's next instruction; false when it can't go on now. A store buffer empties by
 * itself, so a fence is a wait until it has. */
static bool step(struct state *state, unsigned context)
{
    struct instruction at = programs[context].code[state->position[context]];
    unsigned cpu = cpu_of(context), next = state->position[context] + 1u;
    bool fenced = !state->buffer[cpu].length;
    switch ((enum operation)at.operation) {
    case LOAD:
        state->reg[context] = load(state, cpu, at.variable);
        break;
    case STORE:
        if (!store(state, cpu, at.variable, at.value))
            return false;
        break;
    case STORE_INC:
        if (!store(state, cpu, at.variable, state->reg[context] + 1))
            return false;
        state->updates++;
        break;
    case STORE_SUM:
        if (!store(state, cpu, at.variable, state->reg[context] + at.value))
            return false;
        break;
    case STORE_IF:
        if (!store(state, cpu, at.variable, state->reg[context] + at.value != 0))
            return false;
        break;
    case TAKE:
        if (!fenced || state->memory[at.variable])
            return false;
        state->memory[at.variable] = 1;
        break;
    case FENCE:
        if (!fenced)
            return false;
        break;
    case FENCE_ALL:
        if (!buffers_are_empty(state))
            return false;
        break;
    case IF_SET:
        if (state->reg[context])
            next = (unsigned)at.value;
        break;
    case ENTER:
        enter(state, context);
        break;
    case LEAVE:
        state->inside &= (uint8_t) ~(1u << context);
        break;
    case END:
        return false;
    }
    state->position[context] = (uint8_t)next;
    return true;
}

static bool has_ended(const struct state *state, unsigned context)
{
    return programs[context].code[state->position[context]].operation == END;
}

/* ---- the search ------------------------------------------------------------------------------ */

static bool run_context(const struct state *state, unsigned context)
{
    struct state next = *state;
    if (!step(&next, context))
        return false;
    if (context == INTERRUPT && has_ended(&next, INTERRUPT))
        next.interrupts = 2;
    visit(&next);
    return true;
}

static void check_end(const struct state *state)
{
    for (unsigned context = 0; context < NR_CONTEXTS; context++)
        if (!has_ended(state, context) && (context != INTERRUPT || state->interrupts == 1))
            outcome.stuck = true;
    if (buffers_are_empty(state) && state->memory[LIST] != state->updates)
        outcome.update_lost = true;
}

static void expand(const struct state *state)
{
    bool moved = false;
    struct state next = *state;
    if (state->interrupts == 0 && !has_ended(state, OWNER) && !has_ended(state, INTERRUPT)) {
        next.interrupts = 1;
        visit(&next);
        moved = true;
    }
    for (unsigned cpu = 0; cpu < NR_CPUS; cpu++) {
        next = *state;
        if (drain_oldest(&next, cpu)) {
            visit(&next);
            moved = true;
        }
    }
    moved |= run_context(state, state->interrupts == 1 ? INTERRUPT : OWNER);
    moved |= run_context(state, CLOSER_1);
    moved |= run_context(state, CLOSER_2);
    if (!moved)
        check_end(state);
}

static struct outcome explore(enum omission omission)
{
    struct state first;
    __builtin_memset(programs, 0, sizeof programs);
    __builtin_memset(used, 0, sizeof used);
    __builtin_memset(&first, 0, sizeof first);
    outcome = (struct outcome){0};
    emit_owner(&programs[OWNER], omission);
    emit_owner(&programs[OWNER], omission);
    if (omission == NO_NUMBER)
        emit_owner(&programs[INTERRUPT], omission);
    emit_closer(&programs[CLOSER_1], omission);
    emit_closer(&programs[CLOSER_2], omission);
    for (unsigned context = 0; context < NR_CONTEXTS; context++)
        emit(&programs[context], END, BUSY, 0);
    nr_pending = 0;
    visit(&first);
    while (nr_pending) {
        struct state state = table[pending[--nr_pending]];
        expand(&state);
    }
    return outcome;
}

static void check_that_it_holds(enum omission omission)
{
    struct outcome seen = explore(omission);
    CHECK(!seen.too_large);
    CHECK(!seen.two_inside);
    CHECK(!seen.update_lost);
    CHECK(!seen.stuck);
    CHECK(seen.states > 10000);
    test_note("%lu states", seen.states);
}

/* ---- cases ----------------------------------------------------------------------------------- */

static void one_at_a_time_is_among_the_lists(void)
{
    check_that_it_holds(NOTHING_LEFT_OUT);
}

static void full_fences_on_both_sides_will_do(void)
{
    check_that_it_holds(SYMMETRIC_FENCE);
}

static void without_the_heavy_fence_two_get_in(void)
{
    CHECK(explore(HEAVY_FENCE).two_inside);
}

static void without_the_light_fence_two_get_in(void)
{
    CHECK(explore(LIGHT_FENCE).two_inside);
}

static void an_interrupt_with_a_cpu_number_gets_in(void)
{
    CHECK(explore(NO_NUMBER).two_inside);
}

static void without_waiting_for_busy_a_closer_gets_in(void)
{
    CHECK(explore(WAIT_FOR_BUSY).two_inside);
}

static void lists_that_are_shown_too_early_are_entered(void)
{
    CHECK(explore(COUNT_CLOSED).two_inside);
}

static const struct test_case cases[] = {
    TEST_CASE(one_at_a_time_is_among_the_lists),
    TEST_CASE(full_fences_on_both_sides_will_do),
    TEST_CASE(without_the_heavy_fence_two_get_in),
    TEST_CASE(without_the_light_fence_two_get_in),
    TEST_CASE(an_interrupt_with_a_cpu_number_gets_in),
    TEST_CASE(without_waiting_for_busy_a_closer_gets_in),
    TEST_CASE(lists_that_are_shown_too_early_are_entered),
    {0},
};
const struct test_suite suite_pcp_protocol = {"pcp_protocol", cases};
