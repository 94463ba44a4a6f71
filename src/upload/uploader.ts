import { createHash } from 'node:crypto';

/** A JID without its resource, in lower case as servers compare it (RFC 7622). */
export function bareJid(jid: string): string {
  return jid.replace(/\/.*$/s, '').toLowerCase();
}

const hash = /^[0-9a-f]{40}$/;

/** The hash of an uploader who is named by it or by a JID, so that both count as one. */
export function uploaderId(uploader: string): string {
  return hash.test(uploader) ? uploader : uploaderHash(bareJid(uploader));
}

/** By what an uploader is known in paths, tokens and quotas: the SHA-1 of the bare JID in hex, as with ejabberd. */
export function uploaderHash(jid: string): string {
  return createHash('sha1').update(jid).digest('hex');
}
