import assert from 'node:assert/strict';
import { utimes } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { FilerError } from '../../src/errors.js';
import { CommandRefusal } from '../../src/slots/ad-hoc/command-refusal.js';
import { Sessions } from '../../src/slots/ad-hoc/sessions.js';
import { lastStage } from '../../src/slots/ad-hoc/stage.js';
import type { ServedStore } from '../../src/storage/store.js';
import { type CommandAnswer, type CommandOptions, formNs, openCommands, submitted } from '../support/command-client.js';
import { eventually } from '../support/eventually.js';
import { incoming, key } from '../support/store-contract.js';
import { filesIn } from '../support/tree.js';
import { ids } from '../support/uploader-ids.js';

const romeo = 'romeo@example.org/balcony';
const juliet = 'juliet@example.org/garden';
const admin = 'admin@example.net/desk';
const minute = 60_000;

/** Commands on a store with four uploads of Romeo's and two of others. */
async function openWithUploads(t: TestContext, options: CommandOptions = {}) {
  const opened = await openCommands(t, options);
  const { store, storeDir, sweeper } = opened;
  const put = (name: string, bytes: number, uploader?: string) =>
    store.put(key(name), incoming(Buffer.alloc(bytes), { uploader, contentType: 'text/plain' }));
  await put('bearer/from bearer.txt', 4, 'Romeo@example.org');
  await put('other/theirs.txt', 9, 'juliet@example.org');
  await put('nobody/unknown.txt', 9);
  for (const [index, id] of [ids.ofMysecret, ids.ofOldSecret, ids.ofEjabberd].entries()) {
    await put(`${id}/slot/f${index}.txt`, index + 1, id);
    const then = Date.now() / 1000 - 60 * (index + 1);
    await utimes(path.join(storeDir, id, `slot/f${index}.txt`), then, then);
  }
  await sweeper.sweep();
  const uploads = async () => (await filesIn(storeDir)).filter((name) => !name.startsWith('.prosody-filer/'));
  return { ...opened, uploads };
}

describe('the command "My uploads"', () => {
  it('shows them newest first, with sizes, times and what is left of the quota, and then as a table', async (t) => {
    const limits = { userQuota: 20 * 4096, dailyQuota: 5 * 4096 };
    const { ask } = await openWithUploads(t, { limits, retention: { rules: [], expiresAfterMs: 60 * minute } });
    const shown = await ask(romeo, { node: 'my-uploads' });
    assert.deepEqual([shown.status, shown.actions], ['executing', ['complete']]);
    assert.equal(
      shown.instructions,
      'You have 4 uploads, 10 B. 65.54 KB of your quota are left. You can upload 4.10 KB more today.',
    );
    const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d UTC`;
    const expected = ['from bearer.txt, 4 B', 'f0.txt, 1 B', 'f1.txt, 2 B', 'f2.txt, 3 B'];
    assert.equal(shown.lines.length, 4);
    for (const [index, line] of shown.lines.entries()) {
      assert.match(line, new RegExp(`^${expected[index]}, ${time}, kept until: ${time}$`));
    }

    const { iq, status } = await ask(romeo, { node: 'my-uploads', sessionid: shown.sessionid }, submitted({}));
    assert.equal(status, 'completed');
    const table = iq.getChild('command')?.getChild('x', formNs);
    assert.equal(table?.attrs['type'], 'result');
    const columns = table
      ?.getChild('reported')
      ?.getChildren('field')
      .map(({ attrs }) => attrs['var']);
    assert.deepEqual(columns, ['name', 'size', 'date', 'expiry']);
    const items = table
      ?.getChildren('item')
      .map((item) => item.getChildren('field').map((f) => f.getChildText('value')));
    assert.deepEqual(
      items?.map((item) => `${item[0]}, ${item[1]}`),
      expected,
    );
    const again = await ask(romeo, { node: 'my-uploads', sessionid: shown.sessionid });
    assert.deepEqual(again.error, ['modify', 'bad-request', 'bad-sessionid']);
  });

  it('does not show uploads that have expired, and says so if there are none', async (t) => {
    const { ask } = await openWithUploads(t, { retention: { rules: [], expiresAfterMs: minute / 2 } });
    assert.deepEqual((await ask(romeo, { node: 'my-uploads' })).lines.length, 1);
    const { status, note, actions } = await ask('mercutio@example.org/x', { node: 'my-uploads' });
    assert.deepEqual([status, note, actions], ['completed', 'You have no uploads.', []]);
  });

  it('has pages, and shows the newest 200 of more', async (t) => {
    const { ask, store } = await openCommands(t);
    for (let count = 0; count < 205; count += 1) {
      await store.put(
        key(`${ids.ofMysecret}/s${count}/f${count}`),
        incoming(Buffer.from('x'), { uploader: ids.ofMysecret }),
      );
    }
    let shown = await ask(romeo, { node: 'my-uploads' });
    const step = async (action: string) => {
      shown = await ask(romeo, { node: 'my-uploads', sessionid: shown.sessionid, action });
    };
    const seen = new Set(shown.lines);
    assert.deepEqual(shown.actions, ['next', 'complete']);
    assert.match(shown.instructions ?? '', /^You have 205 uploads, 205 B\. Page 1 of 10 of the newest 200 uploads\.$/);
    await step('execute');
    assert.deepEqual(shown.actions, ['next', 'prev', 'complete']);
    for (const line of shown.lines) seen.add(line);
    for (let page = 3; page <= 10; page += 1) {
      await step('next');
      for (const line of shown.lines) seen.add(line);
    }
    assert.deepEqual([shown.actions, seen.size], [['complete', 'prev'], 200]);
    await step('prev');
    assert.match(shown.instructions ?? '', /Page 9 of 10/);
  });

  it('shows any name as valid XML, without characters that disguise it', async (t) => {
    const { ask, store } = await openCommands(t);
    const name = 'a\u202egpj.\u0085\uffff<&>"100% %s.txt';
    await store.put(key(`${ids.ofMysecret}/s/${name}`), incoming(Buffer.from('x'), { uploader: ids.ofMysecret }));
    const { lines, iq } = await ask(romeo, { node: 'my-uploads' });
    assert.ok(lines[0]?.startsWith('a\\u202egpj.\\u0085\ufffd<&>"100% %s.txt, 1 B'));
    assert.ok(!/[\uffff\u202e]/.test(String(iq)));
  });
});

describe('the command "Delete one of my uploads"', () => {
  it('deletes the chosen one as DELETE does, so that its slot cannot be used again, and logs that', async (t) => {
    const { ask, store, uploads, lines, limits } = await openWithUploads(t, { limits: { userQuota: 20 * 4096 } });
    const before = await limits.quotaLeft('romeo@example.org');
    const { sessionid, iq } = await ask(romeo, { node: 'delete-one' });
    const field = iq.getChild('command')?.getChild('x')?.getChild('field');
    const options = field?.getChildren('option').map(({ attrs }) => attrs['label']?.replace(/,.*/, ''));
    assert.deepEqual(options, ['None', 'from bearer.txt', 'f0.txt', 'f1.txt', 'f2.txt']);
    const done = await ask(romeo, { node: 'delete-one', sessionid, action: 'complete' }, submitted({ upload: '1' }));
    assert.deepEqual([done.status, done.note], ['completed', 'The upload is deleted.']);
    const deleted = 'bearer/from bearer.txt';
    assert.ok(!(await uploads()).includes(deleted) && (await uploads()).length === 5);
    await assert.rejects(store.put(key(deleted), incoming(Buffer.from('x'))), { code: 'KEY_TAKEN' });
    const line = lines.find(({ message }) => message === 'deleted');
    assert.deepEqual(
      [line?.['path'], line?.['uploader'], line?.['by'], line?.['reason']],
      [deleted, 'romeo@example.org', 'romeo@example.org', 'asked by uploader'],
    );
    const after = await limits.quotaLeft('romeo@example.org');
    assert.equal((after.stored ?? 0) - (before.stored ?? 0), 4096);
  });

  it('refuses what is not in the list, and stays where it is', async (t) => {
    const { ask, uploads } = await openWithUploads(t);
    const { sessionid } = await ask(romeo, { node: 'delete-one' });
    for (const form of [{}, { upload: '' }, { upload: '5' }, { upload: 'other/theirs.txt' }, { other: '1' }]) {
      const { error } = await ask(romeo, { node: 'delete-one', sessionid }, submitted(form));
      assert.deepEqual(error, ['modify', 'bad-request', 'bad-payload']);
    }
    const { error } = await ask(romeo, { node: 'delete-one', sessionid }, submitted({ upload: '1' }, 'result'));
    assert.deepEqual(error, ['modify', 'bad-request', 'bad-payload']);
    assert.equal((await uploads()).length, 6);
    const { status } = await ask(romeo, { node: 'delete-one', sessionid }, submitted({ upload: '2' }));
    assert.equal(status, 'completed');
    assert.equal((await uploads()).length, 5);
  });

  it('deletes nothing if nothing was chosen', async (t) => {
    const { ask, uploads } = await openWithUploads(t);
    const { sessionid } = await ask(romeo, { node: 'delete-one' });
    const { note } = await ask(romeo, { node: 'delete-one', sessionid }, submitted({ upload: '0' }));
    assert.equal(note, 'Nothing was deleted, because you chose no upload.');
    assert.equal((await uploads()).length, 6);
  });

  it('says that an upload is gone', async (t) => {
    const { ask, store } = await openWithUploads(t);
    const { sessionid } = await ask(romeo, { node: 'delete-one' });
    await store.delete(key('bearer/from bearer.txt'));
    const { status, note, iq } = await ask(romeo, { node: 'delete-one', sessionid }, submitted({ upload: '1' }));
    assert.deepEqual([status, note], ['completed', 'The upload was gone already.']);
    assert.equal(iq.getChild('command')?.getChild('note')?.attrs['type'], 'error');
  });
});

describe('the command "Delete all my uploads"', () => {
  it("deletes the user's uploads under all ids once that is confirmed, and no others", async (t) => {
    const { ask, uploads, lines } = await openWithUploads(t);
    const { sessionid, instructions } = await ask(romeo, { node: 'delete-all' });
    assert.match(instructions ?? '', /^You have 4 uploads, 10 B\. Deleted uploads cannot be restored/);
    const done = await ask(romeo, { node: 'delete-all', sessionid }, submitted({ confirm: 'true' }));
    assert.deepEqual([done.status, done.note], ['completed', 'Deleted 4 uploads, 10 B.']);
    assert.deepEqual(await uploads(), ['nobody/unknown.txt', 'other/theirs.txt']);
    assert.equal(lines.filter(({ message }) => message === 'deleted').length, 4);
  });

  it('deletes nothing without a confirmation', async (t) => {
    const { ask, uploads } = await openWithUploads(t);
    const answers: Record<string, unknown> = { '0': 'completed', false: 'completed', '': 'completed', yes: undefined };
    for (const [confirm, status] of Object.entries(answers)) {
      const { sessionid } = await ask(romeo, { node: 'delete-all' });
      const done = await ask(romeo, { node: 'delete-all', sessionid }, submitted({ confirm }));
      assert.equal(done.status, status);
      assert.deepEqual(
        done.error,
        status === undefined ? ['modify', 'bad-request', 'bad-payload'] : [undefined, undefined],
      );
    }
    const { sessionid } = await ask(romeo, { node: 'delete-all' });
    assert.equal((await ask(romeo, { node: 'delete-all', sessionid })).status, 'completed');
    assert.equal((await uploads()).length, 6);
  });

  it('gives up once nothing can be deleted any more, and the log says how far it came', async (t) => {
    let tries = 0;
    const fail = async () => {
      tries += 1;
      throw new FilerError('STORE_FAILED', 'the disk failed');
    };
    const { ask, store, lines } = await openCommands(t, { wrap: (opened) => withDelete(opened, fail) });
    for (let count = 0; count < 60; count += 1) {
      await store.put(key(`${ids.ofMysecret}/s${count}/f`), incoming(Buffer.from('x'), { uploader: ids.ofMysecret }));
    }
    const { sessionid } = await ask(romeo, { node: 'delete-all' });
    const { status, note } = await ask(romeo, { node: 'delete-all', sessionid }, submitted({ confirm: '1' }));
    assert.equal(status, 'completed');
    assert.match(note ?? '', /^Deleted 0 uploads, 0 B\. 20 uploads could not be deleted\. Try again later\.$/);
    assert.equal(tries, 20);
    const { message, ...line } = lines.at(-1) ?? {};
    assert.equal(message, 'ended the deletion of all uploads of a user');
    assert.deepEqual(line, {
      uploader: 'romeo@example.org',
      by: 'romeo@example.org',
      reason: 'asked by uploader',
      files: 0,
      bytes: 0,
      failed: 20,
    });
  });

  it('is logged also if it breaks off when nobody waits for it any more', async (t) => {
    const gate = closedGate(t);
    let isBroken = false;
    const wrap = (store: ServedStore): ServedStore => ({
      ...withDelete(store, (...args) => store.delete(...args)),
      list: async function* (options) {
        if (isBroken) await gate.opened;
        if (isBroken) throw new FilerError('STORE_FAILED', 'the bucket is gone');
        yield* store.list(options);
      },
    });
    const { ask, lines } = await openWithUploads(t, { wrap, patienceMs: 20 });
    const sessionid = await waitFor('complete', await ask(romeo, { node: 'delete-all' }), (id) =>
      ask(romeo, { node: 'delete-all', sessionid: id, action: 'next' }),
    );
    isBroken = true;
    await ask(romeo, { node: 'delete-all', sessionid }, submitted({ confirm: '1' }));
    gate.open();
    await eventually(() => lines.some(({ error }) => error === 'the bucket is gone'));
  });

  it('goes on if nobody waits for it, and meanwhile the user can begin nothing else', async (t) => {
    const gate = closedGate(t);
    const wrap = (store: ServedStore): ServedStore => ({
      ...waitingFor(gate.opened, store),
      list: (options) => store.list(options),
    });
    const { ask, uploads } = await openWithUploads(t, { wrap, patienceMs: 20 });
    const sessionid = await waitFor('complete', await ask(romeo, { node: 'delete-all' }), (id) =>
      ask(romeo, { node: 'delete-all', sessionid: id, action: 'next' }),
    );
    const slow = await ask(romeo, { node: 'delete-all', sessionid }, submitted({ confirm: '1' }));
    assert.deepEqual([slow.status, slow.actions, slow.lines], ['executing', ['next'], ['Deleted 0 uploads so far.']]);
    assert.deepEqual((await ask(romeo, { node: 'my-uploads' })).error, ['wait', 'resource-constraint']);
    assert.equal((await ask(juliet, { node: 'my-uploads' })).status, 'executing');
    assert.equal((await ask(romeo, { node: 'delete-all', sessionid, action: 'cancel' })).status, 'canceled');
    gate.open();
    await eventually(async () => (await uploads()).length === 2);
  });
});

/** A gate that is closed until it is opened. Meanwhile the process does not end. */
function closedGate(t: TestContext) {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const timer = setInterval(() => {}, minute);
  t.after(() => clearInterval(timer));
  return { opened, open: () => open() };
}

/** Goes on waiting until this is the default action; resolves to the session's id. */
async function waitFor(action: string, first: CommandAnswer, next: (id: string) => Promise<CommandAnswer>) {
  const { sessionid } = first;
  let answer = first;
  await eventually(async () => {
    if (answer.actions[0] !== action) answer = await next(sessionid);
    return answer.actions[0] === action;
  });
  return sessionid;
}

/** The store with another way to delete. */
function withDelete(store: ServedStore, remove: ServedStore['delete']): ServedStore {
  return {
    put: (...args) => store.put(...args),
    open: (...args) => store.open(...args),
    check: () => store.check(),
    wasDeleted: (...args) => store.wasDeleted(...args),
    tidy: (...args) => store.tidy(...args),
    delete: remove,
    list: (...args) => store.list(...args),
  };
}

/** The store, whose deletions and listings wait. */
function waitingFor(gate: Promise<void>, store: ServedStore): ServedStore {
  const remove: ServedStore['delete'] = async (...args) => {
    await gate;
    return store.delete(...args);
  };
  return {
    ...withDelete(store, remove),
    list: async function* (...args) {
      await gate;
      yield* store.list(...args);
    },
  };
}

describe('the commands of admins', () => {
  it('delete the uploads of a user whom a JID or an id names', async (t) => {
    for (const user of ['romeo@example.org', 'ROMEO@example.org', ids.ofMysecret]) {
      const { ask, uploads, lines } = await openWithUploads(t);
      const { sessionid, actions } = await ask(admin, { node: 'delete-of-user' });
      assert.deepEqual(actions, ['next']);
      const next = await ask(admin, { node: 'delete-of-user', sessionid, action: 'next' }, submitted({ user }));
      const files = user === ids.ofMysecret ? 2 : 4;
      assert.deepEqual(next.actions, ['complete', 'prev']);
      assert.ok(next.instructions?.startsWith(`The user has ${files} uploads`), next.instructions);
      const done = await ask(admin, { node: 'delete-of-user', sessionid }, submitted({ confirm: '1' }));
      assert.match(done.note ?? '', new RegExp(`^Deleted ${files} uploads, `));
      assert.equal((await uploads()).length, 6 - files);
      const line = lines.find(({ message }) => message === 'deleted');
      assert.deepEqual(
        [line?.['uploader'], line?.['by'], line?.['reason']],
        [user.toLowerCase(), 'admin@example.net', 'asked by admin'],
      );
    }
  });

  it('go back to the choice of the user, and refuse what is no JID', async (t) => {
    const { ask } = await openWithUploads(t);
    const { sessionid } = await ask(admin, { node: 'delete-of-user' });
    for (const user of ['', 'a b@example.org', '@example.org', 'a@b@c', 'romeo@example.org/balcony']) {
      const { error } = await ask(admin, { node: 'delete-of-user', sessionid }, submitted({ user }));
      assert.deepEqual(error, ['modify', 'bad-request', 'bad-payload'], user);
    }
    await ask(admin, { node: 'delete-of-user', sessionid }, submitted({ user: 'romeo@example.org' }));
    const back = await ask(admin, { node: 'delete-of-user', sessionid, action: 'prev' });
    assert.deepEqual(back.actions, ['next']);
    const none = await ask(admin, { node: 'delete-of-user', sessionid }, submitted({ user: 'nobody@example.org' }));
    assert.deepEqual([none.status, none.note], ['completed', 'The user has no uploads.']);
  });

  it('show statistics', async (t) => {
    const { ask } = await openWithUploads(t);
    const { iq, status, instructions } = await ask(admin, { node: 'statistics' });
    assert.deepEqual([status, instructions], ['completed', 'In the store: 6 uploads, 28 B.']);
    const fields = iq.getChild('command')?.getChild('x')?.getChildren('field') ?? [];
    const texts = Object.fromEntries(
      fields.map((field) => [field.attrs['label'], field.getChildren('value').map((value) => value.text())]),
    );
    assert.deepEqual(texts['By type'], ['text/plain: 6 uploads, 28 B']);
    assert.deepEqual(texts['Largest uploaders'], [
      'romeo@example.org: 4 uploads, 10 B',
      'juliet@example.org: 1 upload, 9 B',
    ]);
    assert.match(texts['Free space']?.[0] ?? '', /^[\d.]+ [KMGT]?B$/);
  });

  it('are forbidden to users, and those of users to strangers', async (t) => {
    const { ask, commands, lines } = await openWithUploads(t);
    const nodes = (jid: string) => commands.listFor(jid).map(({ node }) => node);
    assert.deepEqual(nodes('romeo@example.org'), ['my-uploads', 'delete-one', 'delete-all']);
    assert.deepEqual(nodes('admin@example.net'), ['statistics', 'delete-of-user']);
    assert.deepEqual(nodes('x@example.net'), []);
    for (const [from, node] of [
      [romeo, 'statistics'],
      [romeo, 'delete-of-user'],
      ['x@example.net/y', 'my-uploads'],
    ] as const) {
      assert.deepEqual((await ask(from, { node })).error, ['auth', 'forbidden']);
    }
    assert.equal(lines.filter(({ message }) => message === 'command refused').length, 3);
    assert.deepEqual((await ask(romeo, { node: 'none' })).error, ['cancel', 'item-not-found']);
  });
});

describe('a session', () => {
  it('belongs to one client and one command', async (t) => {
    const { ask } = await openWithUploads(t);
    const { sessionid } = await ask(romeo, { node: 'delete-all' });
    const refused = ['modify', 'bad-request', 'bad-sessionid'];
    for (const [from, node, id] of [
      ['romeo@example.org/orchard', 'delete-all', sessionid],
      ['juliet@example.org/balcony', 'delete-all', sessionid],
      [romeo, 'delete-one', sessionid],
      [romeo, 'delete-all', `${sessionid}x`],
      [romeo, 'delete-all', ''],
    ] as const) {
      assert.deepEqual((await ask(from, { node, sessionid: id }, submitted({ confirm: '1' }))).error, refused);
    }
    assert.match(sessionid, /^[\w-]{24}$/);
    assert.equal((await ask(romeo, { node: 'delete-all', sessionid })).status, 'completed');
  });

  it('allows the actions of its stage only', async (t) => {
    const { ask } = await openWithUploads(t);
    const { sessionid } = await ask(romeo, { node: 'delete-all' });
    const errorOf = async (attributes: Record<string, string>) =>
      (await ask(romeo, { node: 'delete-all', ...attributes })).error;
    assert.deepEqual(await errorOf({ sessionid, action: 'next' }), ['modify', 'bad-request', 'bad-action']);
    assert.deepEqual(await errorOf({ sessionid, action: 'prev' }), ['modify', 'bad-request', 'bad-action']);
    assert.deepEqual(await errorOf({ sessionid, action: 'x' }), ['modify', 'bad-request', 'malformed-action']);
    assert.deepEqual(await errorOf({ sessionid, action: 'toString' }), ['modify', 'bad-request', 'malformed-action']);
    for (const action of ['cancel', 'complete', 'next']) {
      assert.deepEqual(await errorOf({ action }), ['modify', 'bad-request', 'bad-action']);
    }
    assert.equal((await ask(romeo, { node: 'delete-all', sessionid, action: 'cancel' })).status, 'canceled');
    assert.deepEqual(await errorOf({ sessionid }), ['modify', 'bad-request', 'bad-sessionid']);
  });

  it('expires after 10 minutes, or when its user begins a fourth', async (t) => {
    const { ask, clock } = await openWithUploads(t);
    const expired = ['cancel', 'not-allowed', 'session-expired'];
    const { sessionid: old } = await ask(romeo, { node: 'delete-all' });
    clock.ms += 11 * minute;
    assert.deepEqual((await ask(romeo, { node: 'delete-all', sessionid: old })).error, expired);
    const sessions = [];
    for (let count = 0; count < 4; count += 1) sessions.push((await ask(romeo, { node: 'delete-all' })).sessionid);
    const [first = '', second = ''] = sessions;
    assert.deepEqual((await ask(romeo, { node: 'delete-all', sessionid: first })).error, expired);
    assert.deepEqual((await ask(juliet, { node: 'delete-all', sessionid: first })).error[2], 'bad-sessionid');
    assert.equal((await ask(romeo, { node: 'delete-all', sessionid: second })).status, 'completed');
  });

  it('ends if there are 200 others, and only the last 1000 that ended so are remembered', () => {
    const sessions = new Sessions(() => 0);
    const jid = (index: number) => `u${index}@example.org/x`;
    const begun = Array.from({ length: 1400 }, (_, index) => sessions.begin(jid(index), 'node', lastStage('')));
    const reasonOf = (index: number) => {
      try {
        sessions.find(begun[index]?.id ?? '', jid(index), 'node');
        return undefined;
      } catch (error) {
        return error instanceof CommandRefusal ? error.reason : error;
      }
    };
    assert.deepEqual([199, 200, 1199, 1200].map(reasonOf), [
      'bad-sessionid',
      'session-expired',
      'session-expired',
      undefined,
    ]);
  });
});

describe('requests for commands', () => {
  it('may come in any language, and are answered in English', async (t) => {
    const { ask } = await openWithUploads(t);
    for (const language of ['de', 'en-US', 'zh-Hant-TW', '']) {
      const { iq } = await ask(romeo, { node: 'my-uploads', 'xml:lang': language });
      assert.equal(iq.getChild('command')?.attrs['xml:lang'], 'en');
    }
    const { error } = await ask(romeo, { node: 'my-uploads', 'xml:lang': 'no language' });
    assert.deepEqual(error, ['modify', 'bad-request', 'bad-locale']);
  });

  it('are limited for each JID, and for each domain without access', async (t) => {
    const { ask, lines } = await openCommands(t);
    const limited = ['wait', 'resource-constraint'];
    for (let count = 0; count < 60; count += 1) {
      assert.deepEqual((await ask(romeo, { node: 'none' })).error[1], 'item-not-found');
      assert.deepEqual((await ask(`u${count}@example.com/x`, { node: 'my-uploads' })).error[1], 'forbidden');
    }
    assert.deepEqual((await ask(romeo, { node: 'none' })).error, limited);
    assert.deepEqual((await ask('other@example.com/x', { node: 'my-uploads' })).error, limited);
    assert.equal((await ask(juliet, { node: 'my-uploads' })).status, 'completed');
    const said = lines.filter(({ message }) => message === 'commands refused until the minute is over');
    assert.deepEqual(
      said.map(({ reason }) => reason),
      ['romeo@example.org', 'example.com'].map((who) => `${who} took more than 60 steps of commands within a minute`),
    );
  });
});

describe('a search that takes long', () => {
  it('has the client wait, and another one of the user takes its place', async (t) => {
    const gate = closedGate(t);
    const wrap = (store: ServedStore) => waitingFor(gate.opened, store);
    const { ask } = await openWithUploads(t, { wrap, patienceMs: 20 });
    const first = await ask(romeo, { node: 'my-uploads' });
    assert.deepEqual([first.status, first.actions], ['executing', ['next']]);
    const second = await ask(romeo, { node: 'delete-one' });
    assert.deepEqual((await ask(romeo, { node: 'delete-one', sessionid: second.sessionid })).lines, [
      'Found 0 uploads so far.',
    ]);
    gate.open();
    await waitFor('complete', second, (sessionid) => ask(romeo, { node: 'delete-one', sessionid, action: 'next' }));
    const replaced = await ask(romeo, { node: 'my-uploads', sessionid: first.sessionid });
    assert.deepEqual(replaced.error, ['cancel', 'not-allowed', 'session-expired']);
  });

  it('waits for its turn, and ends when the component stops', async (t) => {
    const gate = closedGate(t);
    const wrap = (store: ServedStore) => waitingFor(gate.opened, store);
    const { ask, jobs, uploads } = await openWithUploads(t, { wrap, patienceMs: 20 });
    const users = ['a@example.org/x', 'b@example.org/x', romeo];
    const answers = await Promise.all(users.map((user) => ask(user, { node: 'my-uploads' })));
    jobs.stop();
    gate.open();
    for (const [index, { sessionid }] of answers.entries()) {
      const askOn = () => ask(users[index] ?? '', { node: 'my-uploads', sessionid });
      let shown = await askOn();
      while (shown.status === 'executing') shown = await askOn();
      assert.deepEqual(shown.error, ['wait', 'resource-constraint']);
    }
    assert.equal((await uploads()).length, 6);
  });
});
