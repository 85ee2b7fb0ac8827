/* tools/machine.h: a child process that is a machine */
#ifndef TOOLS_MACHINE_H
#define TOOLS_MACHINE_H

/* Runs `argv` with our stderr and no stdin, and copies its stdout to ours, until it ends, `timeout`
 * seconds pass (0: no limit), we get SIGINT, SIGTERM or SIGHUP, or its output can't be written,
 * which end it. Returns
 *   0..255         its exit status
 *   MACHINE_KILLED + N   it died of signal N
 *   MACHINE_TIMEOUT
 *   MACHINE_INTERRUPTED + N   signal N came to us
 *   MACHINE_UNHEARD + errno   its output can't be written
 *   -errno         it could not be started */
#define MACHINE_KILLED 256
#define MACHINE_TIMEOUT 512
#define MACHINE_INTERRUPTED 1024
#define MACHINE_UNHEARD 2048
int run_machine(char **argv, unsigned timeout);

#endif
