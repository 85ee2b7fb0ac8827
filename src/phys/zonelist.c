/* phys/zonelist.c: in which order zones are tried
 *
 * Each node has two lists of populated zones: all nodes by distance (nearer first, then lower
 * number), each from its highest zone down, so that scarce low memory goes last; and its own zones
 * only. An allocation skips what lies above the highest zone that its gfp allows.
 *
 * The lists have room for every zone and are rewritten in place when memory comes or goes. A reader
 * meanwhile may miss a zone or see it twice, which costs it a retry, never a wrong page.
 */
#include "phys/internal.h"

static unsigned append_node(struct quire_mem *mem, int node, struct zone **list, unsigned length)
{
    for (unsigned type = QUIRE_NR_ZONES; type-- > 0;)
        for_each_zone (mem, zone)
            if (zone->node == node && zone->type == type && zone_populated(zone))
                quire_store_relaxed(&list[length++], zone);
    return length;
}

/* The node nearest to `from` that isn't in `used`; -1 when all are. */
static int nearest(const struct quire_mem *mem, unsigned from, uint32_t used)
{
    int best = -1;
    for (unsigned node = 0; node < mem->nr_nodes; node++) {
        const uint8_t *row = &mem->distance[from * mem->nr_nodes];
        if (!(used >> node & 1) && (best < 0 || row[node] < row[best]))
            best = (int)node;
    }
    return best;
}

static void build_fallback(struct quire_mem *mem, unsigned node)
{
    struct zone **list = mem->nodes[node].fallback;
    uint32_t used = 1u << node;
    unsigned length = append_node(mem, (int)node, list, 0);
    for (int next; (next = nearest(mem, node, used)) >= 0; used |= 1u << next)
        length = append_node(mem, next, list, length);
    quire_store_relaxed(&list[length], NULL);
}

uint64_t quire_mem_nodes(const struct quire_mem *mem)
{
    uint64_t nodes = 0;
    for (unsigned node = 0; node < mem->nr_nodes; node++)
        if (quire_load_relaxed(&mem->nodes[node].this_node[0]))
            nodes |= UINT64_C(1) << node;
    return nodes;
}

unsigned quire_node_distance(const struct quire_mem *mem, unsigned from, unsigned to)
{
    return mem->distance[from * mem->nr_nodes + to];
}

static struct pcp *usable_pcp(struct quire_mem *mem, const struct zone *zone, unsigned cpu)
{
    if (!zone_pcps(zone) || zone->pcp_closed || cpu >= mem->nr_cpus)
        return &mem->no_pcp;
    return zone->pcp[cpu];
}

static struct pcp *preferred_pcp(struct quire_mem *mem, unsigned cpu, unsigned gfp)
{
    unsigned home = cpu < mem->nr_cpus ? mem->cpu_node[cpu] : 0;
    unsigned highest = mem->zone_of_gfp[gfp & 15];
    if (highest != 0xff && gfp >> 3 < PCP_TYPES)
        for (struct zone **zone = mem->nodes[home].fallback; *zone; zone++)
            if ((*zone)->type <= highest)
                return usable_pcp(mem, *zone, cpu);
    return &mem->no_pcp;
}

/* Release: who sees lists again sees that they were emptied. */
void cpus_publish(struct quire_mem *mem)
{
    for (unsigned cpu = 0; cpu <= mem->nr_cpus; cpu++) {
        struct cpu *to = mem->cpu[cpu];
        for (unsigned gfp = 0; gfp <= GFP_PREFER_MASK; gfp++)
            quire_store_release(&to->prefer[gfp], &preferred_pcp(mem, cpu, gfp)->list[gfp >> 3]);
        for_each_zone (mem, zone)
            quire_store_release(&to->zone[zone->id], usable_pcp(mem, zone, cpu));
    }
}

void zonelists_build(struct quire_mem *mem)
{
    for (unsigned node = 0; node < mem->nr_nodes; node++) {
        build_fallback(mem, node);
        unsigned length = append_node(mem, (int)node, mem->nodes[node].this_node, 0);
        quire_store_relaxed(&mem->nodes[node].this_node[length], NULL);
    }
    cpus_publish(mem);
}

/* Which zone each combination of zone bits may reach at most. A modifier whose zone the machine
 * doesn't have means NORMAL, as in Linux; two modifiers at once mean nothing. */
void gfp_zones_build(struct quire_mem *mem)
{
    for (unsigned gfp = 0; gfp < 16; gfp++) {
        unsigned zone = QUIRE_ZONE_NORMAL;
        switch (gfp & (QUIRE_GFP_DMA | QUIRE_GFP_HIGHMEM | QUIRE_GFP_DMA32)) {
        case 0:
            break;
        case QUIRE_GFP_DMA:
            zone = mem->zone_end[QUIRE_ZONE_DMA] ? QUIRE_ZONE_DMA : QUIRE_ZONE_NORMAL;
            break;
        case QUIRE_GFP_DMA32:
            zone = mem->zone_end[QUIRE_ZONE_DMA32] ? QUIRE_ZONE_DMA32 : QUIRE_ZONE_NORMAL;
            break;
        case QUIRE_GFP_HIGHMEM:
            zone = gfp & QUIRE_GFP_MOVABLE             ? QUIRE_ZONE_MOVABLE
                   : mem->zone_end[QUIRE_ZONE_HIGHMEM] ? QUIRE_ZONE_HIGHMEM
                                                       : QUIRE_ZONE_NORMAL;
            break;
        default:
            zone = 0xff;
        }
        mem->zone_of_gfp[gfp] = (uint8_t)zone;
    }
}
