import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { StanzaReader } from '../../src/slots/stanza-reader.js';

const header = "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' id='s1'>";
const ping = "<iq type='get' id='1' from='a@b' to='c'><ping xmlns='urn:xmpp:ping'/></iq>";

/** A reader after the stream's header, and the events that it has reported. */
function reading(...texts: string[]) {
  const told: string[] = [];
  const reader = new StanzaReader({
    onOpen: (id) => told.push(`open ${id}`),
    onStanza: (stanza) => told.push(String(stanza)),
    onSkipped: (root) => told.push(`skipped ${root}`),
    onClose: () => told.push('close'),
  });
  for (const text of [header, ...texts]) reader.write(text);
  return { told: told.slice(1), reader, opened: told[0] };
}

describe('a stream', () => {
  it('yields its id, its stanzas and its end', () => {
    const { told, opened } = reading(ping, ' \n ', "<presence from='a@b'/>", '</stream:stream>');
    assert.equal(opened, 'open s1');
    assert.deepEqual(told, [ping.replaceAll("'", '"'), '<presence from="a@b"/>', 'close']);
  });

  it('is read the same in pieces of any length', () => {
    const text = `${ping}<message><body>日本 😀 &lt;&#x1F600;&amp;<![CDATA[<b>]]> é</body></message>${ping}`;
    const { told } = reading(text);
    assert.match(String(told[1]), /<body>日本 😀 &lt;😀&amp;&lt;b&gt; é<\/body>/);
    const pieces = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 20 });
    const property = fc.property(pieces, (lengths) => {
      const texts: string[] = [];
      for (let at = 0, index = 0; at < text.length; index += 1) {
        const length = lengths[index % lengths.length] ?? 1;
        texts.push(text.slice(at, at + length));
        at += length;
      }
      assert.deepEqual(reading(...texts).told, told);
    });
    fc.assert(property, { numRuns: 300 });
  });

  it('may contain comments and processing instructions, which are ignored', () => {
    assert.deepEqual(reading(`<!-- <iq/> --><?php exit ?>${ping}`).told, [ping.replaceAll("'", '"')]);
  });
});

describe('a stanza over the limits', () => {
  const from = "<iq type='get' id='2' from='a@b' to='c'";
  const tooMuch: Record<string, string> = {
    'with a long text': `${from}>${'x'.repeat(300_000)}</iq>`,
    'with a long CDATA': `${from}><a><![CDATA[${'x'.repeat(300_000)}]]></a></iq>`,
    'with a long attribute': `${from}><request filename='${'x'.repeat(300_000)}'/></iq>`,
    'with many children': `${from}>${'<a/>'.repeat(1100)}</iq>`,
    'that is deep': `${from}>${'<a>'.repeat(1100)}${'</a>'.repeat(1100)}</iq>`,
    'with many texts': `${from}>${'x<a/>'.repeat(60_000)}</iq>`,
  };
  for (const [what, text] of Object.entries(tooMuch)) {
    it(`is skipped ${what}, and the next one is read`, () => {
      const pieces = text.match(/.{1,65536}/gs) ?? [];
      const { told } = reading(ping, ...pieces, ping);
      const good = ping.replaceAll("'", '"');
      assert.deepEqual(told, [good, 'skipped <iq type="get" id="2" from="a@b" to="c"/>', good]);
    });
  }

  it('is ignored if its root element alone is too long', () => {
    assert.deepEqual(reading(`<iq type='get' id='${'x'.repeat(300_000)}'><a/>b</iq>${ping}`).told.length, 1);
  });

  it('ends the stream if it does not end', () => {
    const piece = 'x'.repeat(60_000);
    for (const beginning of ['<iq>', '<iq id="', '<!--', '<?x ', '<iq', '']) {
      const { reader, told } = reading(beginning);
      assert.throws(() => {
        for (let count = 0; count < 80; count += 1) reader.write(piece);
      }, /a stanza that does not end/);
      assert.deepEqual(told, []);
    }
  });

  it('is judged alone, however many stanzas came before', () => {
    const { told } = reading(...Array.from({ length: 100 }, () => ping.repeat(1000)));
    assert.equal(told.length, 100_000);
  });
});

describe('invalid XML', () => {
  const wrong: Record<string, string> = {
    'a DTD': '<!DOCTYPE a [<!ENTITY b "c">]>',
    'an unknown entity': '<iq>&nbsp;</iq>',
    'a wrong end': '<iq></message>',
    'a bare ampersand': '<iq a="& b;"/>',
    'a control character': '<iq>\u0001</iq>',
    'half a surrogate': '<iq>&#xD800;</iq>',
    'an attribute twice': "<iq a='1' a='2'/>",
  };
  for (const [what, text] of Object.entries(wrong)) {
    it(`is ${what}, and ends the stream`, () => assert.throws(() => reading(text), Error));
  }

  it('includes a DTD before the root', () => {
    const handlers = { onOpen() {}, onStanza() {}, onSkipped() {}, onClose() {} };
    const reader = new StanzaReader(handlers);
    assert.throws(() => reader.write('<!DOCTYPE a [<!ENTITY b "c">]><a>'), /DTD/);
  });

  it('of any kind throws only Errors', () => {
    const token = fc.oneof(
      fc.constantFrom(
        '<',
        '>',
        '/',
        '&',
        ';',
        '"',
        "'",
        '=',
        '<iq ',
        '</iq>',
        '<![CDATA[',
        ']]>',
        '<!--',
        '-->',
        '<?',
        ' ',
      ),
      fc.constantFrom('xmlns', '__proto__', 'constructor', ':', 'a:b', 'xmlns:__proto__', 'is'),
      fc.string({ unit: 'binary', maxLength: 5 }),
    );
    let read = 0;
    const property = fc.property(fc.array(token, { maxLength: 30 }), (tokens) => {
      try {
        read += reading(...tokens).told.length;
      } catch (error) {
        assert.ok(error instanceof Error && !(error instanceof TypeError), String(error));
      }
    });
    fc.assert(property, { numRuns: 5000 });
    assert.ok(read >= 0);
  });
});
