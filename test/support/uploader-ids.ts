import { UploaderIds } from '../../src/upload/uploader.js';
import { secret } from './tokens.js';

/** The ids by the secret that tests use. */
export const uploaderIds = new UploaderIds([secret]);

/**
 * The ids of romeo@example.org, made by OpenSSL 3.0.19:
 *
 *   openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt key:mysecret -kdfopt 'info:prosody-filer uploader id' HKDF
 *   printf %s romeo@example.org | openssl dgst -sha256 -mac HMAC -macopt hexkey:<the key in hex>
 *   printf %s romeo@example.org | sha1sum
 */
export const ids = {
  ofMysecret: '89166b4c18742fa49474c4099833b0b027e43bfe0634acd0fff4e9586a7f3a7f',
  ofOldSecret: 'c2cecd5e6b235bf4db2f7b3c6566e3da33f69b4a33783df83d50be0fa54be04f',
  ofEjabberd: '2ed681f17049ef21eba6d9ffe6a7c5eaf5193572',
} as const;
