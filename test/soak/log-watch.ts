import type { LogLine } from '../support/program.js';
import type { History } from './history.js';
import type { Oracle } from './oracle.js';

/** What a line may be about. */
export interface Expectation {
  readonly history: History;
  readonly oracle: Oracle;
  /** Whether the store is a service that fails at times. */
  readonly isStoreFlapping: boolean;
}

/** Statuses of refusals that the users cause. */
const refusals = new Set([403, 404, 409, 413, 507]);

/** Reads the log of the program while it is written, and says which line is not expected. */
export class LogWatch {
  /** Workers that the test has killed. */
  readonly killed = new Set<number>();
  newWorkers = 0;
  evictions = 0;
  sweeps: { readonly files: number; readonly bytes: number }[] = [];
  readonly #expectation: Expectation;

  constructor(expectation: Expectation) {
    this.#expectation = expectation;
  }

  /** Takes a line; throws if it is not expected. */
  see(line: LogLine): void {
    const { history, oracle } = this.#expectation;
    const { msg, level } = line;
    if (msg === 'a new worker is listening') this.newWorkers += 1;
    if (msg === 'swept') this.sweeps.push({ files: Number(line['files']), bytes: Number(line['bytes']) });
    if (msg === 'deleted') {
      if (line['reason'] === 'evicted') this.evictions += 1;
      oracle.noteDeletion(String(line['path']), line['reason']);
      history.note(`deleted, ${line['reason']}`, String(line['path']));
    }
    if (msg === 'connected to the XMPP server') history.note('component connected');
    if (level === 'info' || level === 'debug' || this.#isExpected(line)) return;
    throw history.violation(`unexpected line in the log: ${JSON.stringify(line)}`);
  }

  #isExpected(line: LogLine): boolean {
    const { isStoreFlapping } = this.#expectation;
    const { msg, reason, error } = line;
    switch (msg) {
      case 'request':
        return this.#isExpectedRequest(line);
      case 'a worker ended unexpectedly, starting another':
      case 'a worker ended before it listened, trying again':
        return this.killed.has(Number(line['pid']));
      case 'not connected to the XMPP server, trying again':
        return /^(the connection to the XMPP server failed|component\.(port|jid|secret)): /.test(String(reason));
      case 'slots refused until the minute is over':
        return true;
      case 'slot refused':
        return /quota|leave room|exceed maxFileSize|^S3 |still counting/i.test(String(reason));
      case 'the sweep failed':
      case 'could not be deleted':
      case 'files could not be deleted to make room; this is the first one':
        return isStoreFlapping && String(error).startsWith('S3 ');
      case 'cannot be read and is passed over: repair or remove it':
        // An error inside of the service may concern this object only.
        return isStoreFlapping && String(reason).startsWith('S3 HEAD: 500');
      default:
        return this.#isExpectedText(String(msg));
    }
  }

  #isExpectedText(msg: string): boolean {
    if (/^s3: the bucket cannot be used now/.test(msg)) return this.#expectation.isStoreFlapping;
    // The secret is that of all tests.
    return /secret: this one is published|^aborted \d+ transfers that did not finish within shutdownTimeout$/.test(msg);
  }

  #isExpectedRequest({ status, reason, aborted }: LogLine): boolean {
    if (aborted === true || refusals.has(Number(status))) return true;
    if (status !== 503) return status === 400;
    if (/still counting/.test(String(reason))) return true;
    return this.#expectation.isStoreFlapping && /^(S3 |the store )/.test(String(reason));
  }
}
