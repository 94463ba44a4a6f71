/*
 * The service manager, such as systemd. It sets environment variables for this process (sd_listen_fds(3),
 * sd_watchdog_enabled(3)) and receives messages on a datagram socket (sd_notify(3)). Node.js has no Unix datagram sockets,
 * so each message is sent by the command systemd-notify. This is another process, so the unit needs NotifyAccess=all.
 */
import { execFile } from 'node:child_process';
import type { Logger } from 'pino';
import { messageOf } from '../errors.js';

/** The requests of the service manager that started this process. Without one: no notifications, watchdog or sockets. */
export interface ServiceManager {
  /** True if it waits for notifications, such as READY=1. */
  readonly wantsNotifications: boolean;
  /** It ends the service after this time without WATCHDOG=1. */
  readonly watchdogMs: number | undefined;
  /** The number of listening sockets that it passed. */
  readonly passedSockets: number;
}

/** Reads the environment variables of the service manager. `pid` is the first process of the service. */
export function findServiceManager(env: NodeJS.ProcessEnv, pid: number): ServiceManager {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID = pid, LISTEN_FDS, LISTEN_PID } = env;
  const watchdogMs = Number(WATCHDOG_PID) === pid ? Number(WATCHDOG_USEC) / 1000 : 0;
  return {
    wantsNotifications: NOTIFY_SOCKET !== undefined,
    watchdogMs: watchdogMs > 0 ? watchdogMs : undefined,
    passedSockets: Number(LISTEN_PID) === pid ? Number(LISTEN_FDS) : 0,
  };
}

/** Notifies the service manager; each argument is a variable of sd_notify(3) with its value, such as `READY=1`. */
export type Notify = (...variables: readonly string[]) => void;

/** Makes the function that notifies the service manager. Failures are logged. Without a manager it does nothing. */
export function notifier({ wantsNotifications }: ServiceManager, logger: Logger): Notify {
  if (!wantsNotifications) return () => undefined;
  return (...variables) => {
    execFile('systemd-notify', variables, (error) => {
      // When systemd stops the service, it signals all its processes, so also systemd-notify.
      if (error !== null && error.signal !== 'SIGTERM')
        logger.error(`systemd-notify ${variables[0]} failed: ${messageOf(error)}`);
    });
  };
}
