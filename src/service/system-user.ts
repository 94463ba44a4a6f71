import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { UsageError } from '../errors.js';

/** A user of this host; the first group is the primary one. */
export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gids: readonly [number, ...number[]];
}

const run = promisify(execFile);

/** Finds a user by name, in every directory that the host asks (with id(1)); `undefined` if there is no such user. */
export async function findUser(name: string): Promise<SystemUser | undefined> {
  try {
    const [{ stdout: uid }, { stdout: gids }] = await Promise.all([
      run('id', ['-u', '--', name]),
      run('id', ['-G', '--', name]),
    ]);
    const [primary = Number.NaN, ...more] = gids.trim().split(' ').map(Number);
    return { name, uid: Number(uid), gids: [primary, ...more] };
  } catch {
    return undefined;
  }
}

/** Gives this process the rights of the user that `--user` names; it cannot get its own back. Throws a UsageError. */
export async function becomeUser(name: string): Promise<void> {
  const user = await findUser(name);
  if (user === undefined) throw new UsageError(`--user: expected a user of this host, got '${name}'`);
  if (process.getuid?.() === user.uid) return;
  if (process.getuid?.() !== 0) throw new UsageError('--user: only root can check as another user. Use sudo');
  process.setgroups?.([...user.gids]);
  process.setgid?.(user.gids[0]);
  process.setuid?.(user.uid);
}
