import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** A user of this host; the first group is the primary one. */
export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gids: readonly [number, ...number[]];
}

const run = promisify(execFile);

/** The user of this name, wherever the host keeps its users (id(1) asks them all); `undefined` for none. */
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
