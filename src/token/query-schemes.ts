/*
 * The token schemes of the query. Each token is an HMAC-SHA256 in hex over these bytes:
 *   ?v=             Prosody mod_http_upload_external (default), ejabberd:    path SP size
 *   ?v2= ?token=    the same module as "v2"; Metronome:                      path NUL size NUL type
 * The path is the upload key in UTF-8, the size is decimal, the type is verbatim.
 */
import { FilerError } from '../errors.js';
import { servableType, typeOfName, unknownType } from '../upload/content-type.js';
import { uploaderIdOfKey, uploaderOfKey } from '../upload/upload-key.js';
import { candidateTypes } from './candidate-types.js';
import { hmacHex, isSignedByAny } from './hmac.js';
import type { AnnouncedUpload, Grant, Slot, TokenSettings } from './token.js';

/** One way to put a token into a PUT's query. */
export interface QueryScheme {
  readonly name: 'v1' | 'v2' | 'token';
  readonly parameter: string;
  /** The digest that allows the upload. */
  sign(secret: string, slot: Slot): string;
  /** What the digest allows, `undefined` if it does not sign this upload. Throws `TOKEN_REFUSED` for a key that names nobody for sure. */
  verify(digest: string, upload: AnnouncedUpload, settings: TokenSettings): Grant | undefined;
}

/** Throws `TOKEN_REFUSED` where a user's name would pass as the id of another one. */
function grant({ key }: AnnouncedUpload, contentType: string, { jidInUrlDomain }: TokenSettings): Grant {
  if (jidInUrlDomain !== undefined && uploaderIdOfKey(key) !== undefined) {
    const found =
      'v1 token: the path begins with a hash, but jidInUrlDomain says that it begins with the name of the user';
    throw new FilerError('TOKEN_REFUSED', `${found}; does ejabberd have "jid_in_url: node"?`);
  }
  return { contentType, uploader: uploaderOfKey(key, jidInUrlDomain) };
}

function untypedMessage({ key, size }: Omit<Slot, 'contentType'>): Buffer {
  return Buffer.from(`${key} ${size}`);
}

function typedMessage({ key, size }: Omit<Slot, 'contentType'>, type: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${key}\0${size}\0`), type]);
}

function signUntyped(secret: string, slot: Slot): string {
  return hmacHex(secret, untypedMessage(slot));
}

function signTyped(secret: string, slot: Slot): string {
  return hmacHex(secret, typedMessage(slot, Buffer.from(slot.contentType)));
}

function verifyUntyped(digest: string, upload: AnnouncedUpload, settings: TokenSettings): Grant | undefined {
  if (!isSignedByAny(settings.secrets, untypedMessage(upload), digest)) return undefined;
  const announced = servableType(upload.contentType);
  return grant(upload, announced === unknownType ? typeOfName(upload.key) : announced, settings);
}

function verifyTyped(digest: string, upload: AnnouncedUpload, settings: TokenSettings): Grant | undefined {
  const isSigned = (type: string) =>
    isSignedByAny(settings.secrets, typedMessage(upload, Buffer.from(type, 'latin1')), digest);
  if (isSigned(upload.contentType)) return grant(upload, upload.contentType, settings);
  if (settings.strictContentType) return undefined;
  const signedType = candidateTypes(upload).find(isSigned);
  return signedType === undefined ? undefined : grant(upload, signedType, settings);
}

/** Every query scheme, in order of precedence if one URL has several. */
export const querySchemes: readonly QueryScheme[] = [
  { name: 'v2', parameter: 'v2', sign: signTyped, verify: verifyTyped },
  { name: 'token', parameter: 'token', sign: signTyped, verify: verifyTyped },
  { name: 'v1', parameter: 'v', sign: signUntyped, verify: verifyUntyped },
];
