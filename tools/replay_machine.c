/* tools/replay_machine.c: the machine's place among the engines */
#include "replay.h"

const struct replay_engine *replay_machine(enum replay_policy policy)
{
    static const struct replay_engine *const machines[REPLAY_NR_POLICIES];
    return machines[policy];
}
