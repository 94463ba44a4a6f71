import assert from 'node:assert/strict';
import type { Element } from 'ltx';
import { compileRetention, type RetentionSettings } from '../../src/retention/expiry.js';
import type { LimitSettings } from '../../src/retention/limits.js';
import { openRetention } from '../../src/retention/open-retention.js';
import { tombstonePhases } from '../../src/retention/tombstone-phase.js';
import { UserUploads } from '../../src/retention/user-uploads.js';
import { Jobs } from '../../src/slots/ad-hoc/jobs.js';
import { openAdHoc } from '../../src/slots/ad-hoc/open-ad-hoc.js';
import { xml } from '../../src/slots/stanza.js';
import { openStore } from '../../src/storage/open-store.js';
import type { ServedStore } from '../../src/storage/store.js';
import { UploaderIds } from '../../src/upload/uploader.js';
import { noLimits } from './no-limits.js';
import { type Teardown, tempDir } from './temp-dir.js';
import { secret } from './tokens.js';

export const commandsNs = 'http://jabber.org/protocol/commands';
export const formNs = 'jabber:x:data';
const errorsNs = 'urn:ietf:params:xml:ns:xmpp-stanzas';
const replayWindowMs = 30 * 24 * 3_600_000;

/** How the commands under test are set up. */
export interface CommandOptions {
  readonly limits?: Partial<LimitSettings>;
  readonly retention?: RetentionSettings;
  /** How long a client waits for an answer. */
  readonly patienceMs?: number;
  /** Stands between the commands and the store. */
  readonly wrap?: (store: ServedStore) => ServedStore;
}

/** The answer to a step of a command. */
export interface CommandAnswer {
  readonly iq: Element;
  readonly status: string | undefined;
  readonly sessionid: string;
  /** The allowed actions, the default one first. */
  readonly actions: readonly string[];
  readonly note: string | undefined;
  readonly instructions: string | undefined;
  /** The values of the fixed fields. */
  readonly lines: readonly string[];
  /** The stanza error: type, condition, and the condition of XEP-0050. */
  readonly error: readonly (string | undefined)[];
}

function read(iq: Element): CommandAnswer {
  const command = iq.getChild('command', commandsNs);
  const form = command?.getChild('x', formNs);
  const actions = command?.getChild('actions');
  const names = (actions?.getChildElements() ?? []).map((action) => action.getName());
  const usual = actions?.attrs['execute'];
  const error = iq.getChild('error');
  const condition = error?.getChildElements().find((child) => child.getNS() === errorsNs);
  const detail = error?.getChildElements().find((child) => child.getNS() === commandsNs);
  const fixed = form?.getChildren('field').filter((field) => field.attrs['type'] === 'fixed') ?? [];
  return {
    iq,
    status: command?.attrs['status'],
    sessionid: command?.attrs['sessionid'] ?? '',
    actions: usual === undefined ? [] : [usual, ...names.filter((name) => name !== usual)],
    note: command?.getChildText('note') ?? undefined,
    instructions: form?.getChildText('instructions') ?? undefined,
    lines: fixed.map((field) => field.getChildText('value') ?? ''),
    error: [error?.attrs['type'], condition?.getName(), ...(detail === undefined ? [] : [detail.getName()])],
  };
}

/** A form that a client sends. */
export function submitted(values: Readonly<Record<string, string>>, type = 'submit'): Element {
  const fields = Object.entries(values).map(([name, value]) => xml('field', { var: name }, xml('value', {}, value)));
  return xml('x', { xmlns: formNs, type }, ...fields);
}

/** Commands on a store in a folder, for the users of example.org and admin@example.net. */
export async function openCommands(t: Teardown, options: CommandOptions = {}) {
  const { limits = {}, retention = { rules: [] }, patienceMs = 60_000, wrap = (store) => store } = options;
  const storeDir = await tempDir(t);
  const tombstonePhase = tombstonePhases(replayWindowMs);
  const opened = await openStore({ storeDir, isDurable: false, stallTimeoutMs: 60_000, tombstonePhase });
  const store = wrap(opened.store);
  const uploaderIds = new UploaderIds([secret, 'old-secret']);
  const lines: Record<string, unknown>[] = [];
  const log = (line: object, message: string) => lines.push({ ...line, message });
  const logger = { info: log, warn: log };
  const clock = { ms: 0 };
  const now = () => Date.now() + clock.ms;
  const compiled = compileRetention(retention);
  const settings = { ...noLimits, evictMinAgeMs: 0, ...limits };
  const { limits: storeLimits, sweeper } = openRetention(opened.store, compiled, settings, {
    uploaderIds,
    logger,
    now,
  });
  const context = { store, limits: storeLimits, retention: compiled, uploaderIds, logger, now };
  const jobs = new Jobs(patienceMs);
  const commands = openAdHoc(
    { access: ['example.org'], admins: ['admin@example.net'] },
    { ...context, uploads: new UserUploads(context), jobs, quotaLeft: (jid) => storeLimits.quotaLeft(jid) },
  );
  const ask = async (from: string, attributes: Readonly<Record<string, string>>, ...payload: Element[]) => {
    const command = xml('command', { xmlns: commandsNs, ...attributes }, ...payload);
    const iq = xml('iq', { type: 'set', id: '1', from, to: 'upload.example.org' }, command);
    const answer = await commands.answer(iq, command);
    assert.deepEqual([answer.attrs['to'], answer.attrs['id']], [from, '1']);
    return read(answer);
  };
  return { ask, commands, jobs, store: opened.store, storeDir, limits: storeLimits, sweeper, lines, clock };
}
