/* tools/report_parts.h: the parts of a report's page, which cmake/Embed.cmake makes of files
 */
#ifndef TOOLS_REPORT_PARTS_H
#define TOOLS_REPORT_PARTS_H

#include <stddef.h>

#define REPORT_PART(name)                                                                          \
    extern const unsigned char name[];                                                             \
    extern const size_t name##_size;

REPORT_PART(report_page)
REPORT_PART(report_style)
REPORT_PART(report_base_js)
REPORT_PART(report_charts_js)
REPORT_PART(report_map_js)
REPORT_PART(report_areas_js)
REPORT_PART(report_page_js)
REPORT_PART(report_licence)
REPORT_PART(report_dygraph_js)
REPORT_PART(report_dygraph_css)

#undef REPORT_PART

#endif
