/*
 * The commands that clients are running. Their number is bounded, in all and for each user: the one that was left alone for
 * longest ends. Of those that ended this way, only the ids are remembered.
 */
import { randomBytes } from 'node:crypto';
import { bareJid } from '../../upload/uploader.js';
import { CommandRefusal } from './command-refusal.js';
import type { Stage } from './stage.js';

/** How long a client may leave a command alone. */
export const maxIdleMs = 10 * 60 * 1000;
const maxSessions = 200;
const maxSessionsOfUser = 3;
const maxExpired = 1000;
const idBytes = 18;

/** A running command. */
export interface Session {
  readonly id: string;
  /** The full JID of the client. */
  readonly jid: string;
  readonly node: string;
  stage: Stage;
  usedAt: number;
  /** Whether a request of the client is being answered. */
  isBusy: boolean;
}

/** The running commands. `now` is in ms since the epoch. */
export class Sessions {
  readonly #now: () => number;
  /** The one that was left alone for longest comes first. */
  readonly #sessions = new Map<string, Session>();
  /** The clients of sessions that expired, by id. */
  readonly #expired = new Map<string, string>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Begins a session at this stage. */
  begin(jid: string, node: string, stage: Stage): Session {
    this.#expireOld();
    const own = [...this.#sessions.values()].filter((session) => bareJid(session.jid) === bareJid(jid));
    if (own.length >= maxSessionsOfUser) this.#expire(own[0]);
    if (this.#sessions.size >= maxSessions) this.#expire(this.#sessions.values().next().value);
    const id = randomBytes(idBytes).toString('base64url');
    const session = { id, jid, node, stage, usedAt: this.#now(), isBusy: false };
    this.#sessions.set(id, session);
    return session;
  }

  /** The session of this client with this command. Throws a CommandRefusal. */
  find(id: string, jid: string, node: string): Session {
    this.#expireOld();
    const session = this.#sessions.get(id);
    if (session === undefined)
      throw new CommandRefusal(this.#expired.get(id) === jid ? 'session-expired' : 'bad-sessionid');
    if (session.jid !== jid || session.node !== node) throw new CommandRefusal('bad-sessionid');
    if (session.isBusy) throw new CommandRefusal('busy', 'Wait for the answer to your last request.');
    session.usedAt = this.#now();
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    return session;
  }

  /** Ends a session. */
  end({ id }: Session): void {
    this.#sessions.delete(id);
  }

  #expireOld(): void {
    for (const session of this.#sessions.values()) {
      if (this.#now() - session.usedAt <= maxIdleMs) return;
      this.#expire(session);
    }
  }

  #expire(session: Session | undefined): void {
    if (session === undefined) return;
    this.#sessions.delete(session.id);
    this.#expired.set(session.id, session.jid);
    const [oldest] = this.#expired.keys();
    if (this.#expired.size > maxExpired && oldest !== undefined) this.#expired.delete(oldest);
  }
}
