import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';
import { projectFolder } from '../support/command.js';
import { findProgram, missingPeer, peersFolder, skipOrFail } from '../support/peers.js';

/** A Debian whose peers the tests start. */
export interface Debian {
  /** The versions that it has, for names of tests. */
  readonly prosody: string;
  readonly ejabberd: string;
  /** Returns the reason to skip a test that needs these programs in it, if there is one; throws it if CI=true. */
  missingPeer(...programs: readonly string[]): string | undefined;
  /** The command line that runs a program in it, as a user of its own if one is named. */
  commandOf(program: string, args: readonly string[], user?: string): readonly [string, ...string[]];
}

/** This machine. */
export const thisDebian: Debian = {
  prosody: 'Prosody',
  ejabberd: 'ejabberd',
  missingPeer,
  commandOf: (program, args, user) => {
    const asUser = user === undefined ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--init-groups'];
    const [file = program, ...more] = [...asUser, findProgram(program) ?? program, ...args];
    return [file, ...more];
  },
};

const trixie = path.join(peersFolder, 'trixie');

/** The Debian 13 that install-peers.sh makes, with packages of trixie-backports. */
export const debian13: Debian = {
  prosody: 'Prosody 13',
  ejabberd: 'ejabberd 26',
  missingPeer: (...programs) => {
    if (userInfo().uid !== 0) return skipOrFail(`only root can run programs in ${trixie}`);
    const missing = programs.filter(
      (name) => !['bin', 'sbin'].some((dir) => existsSync(path.join(trixie, 'usr', dir, name))),
    );
    return missing.length === 0
      ? undefined
      : skipOrFail(`not in ${trixie}: ${missing.join(', ')} (see test/e2e/install-peers.sh)`);
  },
  commandOf: (program, args, user = 'root') => [
    path.join(projectFolder, 'test/e2e/in-trixie.sh'),
    user,
    program,
    ...args,
  ],
};

/** Both, for tests of what their versions could do differently. */
export const debians: readonly Debian[] = [thisDebian, debian13];
