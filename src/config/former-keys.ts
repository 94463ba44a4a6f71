/**
 * Keys of the original's first versions and of its forks (prosody-filer-s3, hmac-file-server…), in lower case without
 * underscores, and what to set here in their place.
 */
const successors: Readonly<Record<string, string>> = {
  uploadrootdir: 'storeDir',
  storagepath: 'storeDir',
  listenaddress: 'listenPort',
  unixsocketpath: 'listenPort and unixSocket = true',
  maxuploadsize: 'maxFileSize',
  minfreebytes: 'minFreeSpace',
  minfreespacethreshold: 'minFreeSpace',
  filettl: 'expiresAfter',
  deletefilesafterperiod: 'expiresAfter',
  metricsport: 'metricsListen',
  metricsenabled: 'metricsListen',
  numcores: 'workers',
  s3endpoint: 'endpointUrl in a table [s3]',
  s3tls: 'an endpointUrl that begins with https:// in a table [s3]',
  s3bucket: 'bucket in a table [s3]',
  s3bucketname: 'bucket in a table [s3]',
  s3bucketregion: 'region in a table [s3]',
  s3keyid: 'accessKeyId in a table [s3]',
  s3accesskey: 'accessKeyId or, if there was an S3KeyId, secretAccessKey in a table [s3]',
  s3secret: 'secretAccessKey in a table [s3]',
  proxymode: 'download in a table [s3]: "proxy" for true, "redirect" for false',
  server: 'its keys above all tables: listenPort for listen_address, storeDir for storage_path',
  security: 'secret above all tables',
  uploads: 'maxFileSize above all tables',
  logging: 'logLevel above all tables',
};

/** What to set in place of a key that other programs of this family have, in any letter case; `undefined` for other keys. */
export function successorOf(key: string): string | undefined {
  const name = key.toLowerCase().replaceAll('_', '');
  return Object.hasOwn(successors, name) ? successors[name] : undefined;
}
