/* tools/machine.h: a child process that is a machine */
#ifndef TOOLS_MACHINE_H
#define TOOLS_MACHINE_H

/* Runs `argv` with our stdout and stderr and no stdin, until it ends, `timeout` seconds pass (0: no
 * limit), or we get SIGINT, SIGTERM or SIGHUP, which end it. Returns
 *   0..255         its exit status
 *   MACHINE_KILLED + N   it died of signal N
 *   MACHINE_TIMEOUT
 *   MACHINE_INTERRUPTED + N   signal N came to us
 *   -errno         it could not be started */
#define MACHINE_KILLED 256
#define MACHINE_TIMEOUT 512
#define MACHINE_INTERRUPTED 1024
int run_machine(char **argv, unsigned timeout);

#endif
