/*
 * How an uploader is named where others can read it: in URLs and in the metadata of a bucket. Anybody who has a list of
 * JIDs can hash all of them, so the hash takes a key that only this server has:
 *
 *   id  = HMAC-SHA-256(key, bare JID in lower case)                          64 hex digits
 *   key = HKDF-SHA-256(secret, no salt, "prosody-filer uploader id")         32 bytes, so no token is ever an id
 *
 * The first secret makes the ids of new uploads. Uploads from before that secret have the ids of other secrets, and paths
 * of ejabberd begin with the SHA-1 of the bare JID (40 hex digits).
 */
import { createHash, createHmac, hkdfSync } from 'node:crypto';

const label = 'prosody-filer uploader id';
const keyBytes = 32;
const idPattern = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;

/** A JID without its resource, in lower case as servers compare it (RFC 7622). */
export function bareJid(jid: string): string {
  return jid.replace(/\/.*$/s, '').toLowerCase();
}

/** Whether an uploader is named by an id of ours or of ejabberd, and not by a JID. */
export function isUploaderId(uploader: string): boolean {
  return idPattern.test(uploader);
}

function keyOf(secret: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', label, keyBytes));
}

function keyedId(key: Buffer, jid: string): string {
  return createHmac('sha256', key).update(jid).digest('hex');
}

/** The ids of uploaders, by the secrets of this server. */
export class UploaderIds {
  readonly #newestKey: Buffer;
  readonly #olderKeys: readonly Buffer[];

  /** The first secret makes the ids of new uploads. */
  constructor(secrets: readonly string[]) {
    const [newest = '', ...older] = secrets;
    this.#newestKey = keyOf(newest);
    this.#olderKeys = older.map(keyOf);
  }

  /** The id for new uploads of an uploader, who is named by a JID; an id stays as it is. */
  idOf(uploader: string): string {
    return isUploaderId(uploader) ? uploader : keyedId(this.#newestKey, bareJid(uploader));
  }

  /** All ids that uploads of a JID may have, each once and that of new uploads first; an id stands for itself alone. */
  idsOf(uploader: string): readonly string[] {
    if (isUploaderId(uploader)) return [uploader];
    const jid = bareJid(uploader);
    const ofEjabberd = createHash('sha1').update(jid).digest('hex');
    const ids = [this.#newestKey, ...this.#olderKeys].map((key) => keyedId(key, jid));
    return [...new Set([...ids, ofEjabberd])];
  }
}
