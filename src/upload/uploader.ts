/*
 * The uploader's id stands for the JID in URLs and in the metadata of a bucket, where others can read it. Whoever has a list
 * of JIDs could hash all of them, so the hash is keyed with a key that only this server has:
 *
 *   id  = HMAC-SHA-256(key, bare JID in lower case)                          64 hex digits
 *   key = HKDF-SHA-256(secret, no salt, "prosody-filer uploader id")         32 bytes, so no token is ever an id
 *
 * New uploads get ids from the first secret. Older uploads can have ids from the other secrets. Paths from ejabberd begin
 * with the SHA-1 of the bare JID (40 hex digits) or, with `jid_in_url: node`, with the name before the @, in which ejabberd
 * replaces some signs by "_".
 */
import { createHash, createHmac, hkdfSync } from 'node:crypto';

const label = 'prosody-filer uploader id';
const keyBytes = 32;
const idPattern = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/** A JID without its resource, in lower case and in normalization form C, as servers compare JIDs (RFC 7622). */
export function bareJid(jid: string): string {
  return jid.replace(/\/.*$/s, '').toLowerCase().normalize();
}

/** The domain of a bare JID. */
export function domainOf(jid: string): string {
  return jid.replace(/^.*@/s, '');
}

/** Whether the text is an uploader's id, ours or ejabberd's, and not a JID. */
export function isUploaderId(uploader: string): boolean {
  return idPattern.test(uploader);
}

/** A name that ejabberd writes into a path as it is, and that it makes of no other name. It is not the reserved folder. */
const unambiguousName = /^[\p{L}\p{N}][\p{L}\p{N}.-]*$/u;

/** The JID with the name that ejabberd writes into a path. */
function asInPath(jid: string): string {
  return jid.replace(/^.*(?=@)/s, (name) => name.replace(/[^\p{L}\p{N}_.-]/gu, '_'));
}

function keyOf(secret: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', label, keyBytes));
}

function keyedId(key: Buffer, jid: string): string {
  return createHmac('sha256', key).update(jid).digest('hex');
}

/** The uploads of one uploader. */
export interface UploaderFilter {
  /** The names with which paths begin that name the uploader, without duplicates. */
  readonly folders: readonly string[];
  /** Whether an upload is the uploader's, by the JID or id of its own uploader. */
  includes(uploader: string | undefined): boolean;
}

/** Computes the ids of uploaders from this server's secrets. */
export class UploaderIds {
  readonly #newestKey: Buffer;
  readonly #olderKeys: readonly Buffer[];
  readonly #jidInUrlDomain: string | undefined;

  /**
   * New uploads get ids from the first secret. `jidInUrlDomain`: the domain of ejabberd's users, if their names are in the keys.
   */
  constructor(secrets: readonly string[], jidInUrlDomain?: string) {
    const [newest = '', ...older] = secrets;
    this.#jidInUrlDomain = jidInUrlDomain;
    this.#newestKey = keyOf(newest);
    this.#olderKeys = older.map(keyOf);
  }

  /** The id for new uploads of a JID. An id is returned unchanged. */
  idOf(uploader: string): string {
    return isUploaderId(uploader) ? uploader : keyedId(this.#newestKey, bareJid(uploader));
  }

  /** All ids that uploads of a JID can have, without duplicates, the one for new uploads first. For an id: only itself. */
  idsOf(uploader: string): readonly string[] {
    const own = this.#ownIdsOf(uploader);
    const jid = bareJid(uploader);
    if (isUploaderId(uploader) || domainOf(jid) !== this.#jidInUrlDomain) return [...new Set(own)];
    const inPath = [this.#newestKey, ...this.#olderKeys].map((key) => keyedId(key, asInPath(jid)));
    return [...new Set([...own, ...inPath])];
  }

  /**
   * The uploads of the uploader whom a JID or an id names, and of nobody else. Paths of ejabberd in which the name may stand for
   * several users ("_") are nobody's here.
   */
  filterOf(uploader: string): UploaderFilter {
    const jid = bareJid(uploader);
    const wanted = new Set(this.#ownIdsOf(uploader));
    const hasName = !isUploaderId(uploader) && jid.includes('@') && domainOf(jid) === this.#jidInUrlDomain;
    const name = jid.slice(0, jid.indexOf('@'));
    return {
      folders: [...wanted, ...(hasName && unambiguousName.test(name) ? [name] : [])],
      includes: (found) => found !== undefined && this.#ownIdsOf(found).some((id) => wanted.has(id)),
    };
  }

  /** The ids that uploads of exactly this JID can have, the one for new uploads first. For an id: only itself. */
  #ownIdsOf(uploader: string): readonly string[] {
    if (isUploaderId(uploader)) return [uploader];
    const jid = bareJid(uploader);
    // A gateway's JID has no name before the domain. ejabberd hashes it with the @ all the same.
    const ofEjabberd = createHash('sha1')
      .update(jid.includes('@') ? jid : `@${jid}`)
      .digest('hex');
    return [...[this.#newestKey, ...this.#olderKeys].map((key) => keyedId(key, jid)), ofEjabberd];
  }
}
