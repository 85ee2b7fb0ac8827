/* tools/trace.c: quire trace: traces of memory references */
#include "quire.h"
#include "trace_command.h"

int command_trace(int argc, char **argv)
{
    struct trace_options options;
    parse_trace_options(&options, argc, argv);
    return options.convert ? trace_convert(&options) : trace_info(&options);
}
