/* phys/machine.c: what the layers above ask about a machine, and report of it */
#include "base/text.h"
#include "phys/internal.h"

const struct quire_port_mem *quire_mem_port(const struct quire_mem *mem)
{
    return mem->port;
}

unsigned quire_mem_nr_cpus(const struct quire_mem *mem)
{
    return mem->nr_cpus;
}

unsigned quire_mem_nr_nodes(const struct quire_mem *mem)
{
    return mem->nr_nodes;
}

int quire_mem_cpu_node(const struct quire_mem *mem, unsigned cpu)
{
    return cpu < mem->nr_cpus ? mem->cpu_node[cpu] : 0;
}

void quire_set_reclaim(struct quire_mem *mem, const struct quire_mem_ops *ops, void *arg)
{
    const struct quire_mem_ops *now = ops ? ops : &mem->configured;
    mem->ops.wake_reclaim = now->wake_reclaim;
    mem->ops.direct_reclaim = now->direct_reclaim;
    mem->ops.oom = now->oom;
    mem->reclaim_arg = ops ? arg : mem->ops_arg;
}

bool quire_mem_wait(struct quire_mem *mem)
{
    if (mem->ops.wait)
        mem->ops.wait(mem->ops_arg);
    return mem->ops.wait;
}

void quire_report_mistake(struct quire_mem *mem, quire_pfn_t pfn, const char *text)
{
    if (!mem->ops.bad_page)
        quire_port_panic(text);
    quire_port_log(QUIRE_LOG_ERROR, text);
    mem->ops.bad_page(mem->ops_arg, pfn, text);
}
