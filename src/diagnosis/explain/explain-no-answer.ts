import { type NoAnswerError, NoStoreError } from '../remote/send-request.js';
import type { CauseAndChange, Problem } from '../remote/verdict.js';

const nobodyListens: CauseAndChange = [
  'the proxy does not run or listens elsewhere, or a firewall refuses',
  "start it, and compare the URL's port with its listen directive",
];
const unknownName: CauseAndChange = [
  'the name is mistyped or has no A or AAAA record',
  "look at the name's DNS records",
];
const unreachable: CauseAndChange = [
  'a firewall drops the packets, or the DNS record names another host',
  "open the port, and compare the name's A and AAAA records with the host's addresses",
];
const selfSigned: CauseAndChange = [
  'the certificate is signed by no authority that clients know',
  'take one from a public authority; if your own is meant, run the doctor with NODE_EXTRA_CA_CERTS=/path/ca.pem',
];
const incompleteChain: CauseAndChange = [
  'the intermediate certificate is not sent',
  'give the full chain to nginx: ssl_certificate …/fullchain.pem',
];
const notTls: CauseAndChange = [
  'this port speaks another protocol: http, or https with other versions of TLS',
  "listen … ssl in nginx's server block, and ssl_protocols TLSv1.2 TLSv1.3",
];
const brokenOff: CauseAndChange = [
  'the proxy or the server behind it ended the connection: a time limit, or a crash',
  "look at the proxy's error log and at the log of prosody-filer",
];

const through = 's3.download = "proxy", and upload = "filer" in [component]';

const adviceOf: Readonly<Record<string, CauseAndChange>> = {
  CERT_HAS_EXPIRED: ['the certificate was not renewed, or not loaded anew', 'renew it, and reload nginx'],
  CERT_NOT_YET_VALID: ['the clock of this machine is wrong', "set this machine's clock (NTP)"],
  DEPTH_ZERO_SELF_SIGNED_CERT: selfSigned,
  EAI_AGAIN: ['the DNS resolver does not answer', "look at this machine's /etc/resolv.conf"],
  ECONNREFUSED: nobodyListens,
  ECONNRESET: brokenOff,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ENOTFOUND: unknownName,
  EPIPE: brokenOff,
  EPROTO: notTls,
  ERR_SSL_WRONG_VERSION_NUMBER: notTls,
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'the certificate is for another name, or nginx chose another server block',
    "take a certificate for the URL's host, and name it in server_name",
  ],
  ETIMEDOUT: unreachable,
  HPE_INVALID_CONSTANT: ['this port speaks https or no HTTP at all', 'put https:// and the right port into the URL'],
  SELF_SIGNED_CERT_IN_CHAIN: selfSigned,
  SILENT: [
    'the proxy or prosody-filer hangs, or something between drops packets',
    "look at the proxy's error log and at the log of prosody-filer",
  ],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: selfSigned,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: incompleteChain,
};

/** Why no answer came, as far as the error's code tells. */
export function explainNoAnswer(error: NoAnswerError): Problem {
  const { code, message } = error;
  if (error instanceof NoStoreError) {
    return {
      found: `no answer from ${error.origin}, where clients are sent: ${message}`,
      cause: 'clients go to the store by themselves, and it is not reachable for all',
      change: `open it to clients, with a certificate that they trust, or have all go through prosody-filer: ${through}`,
    };
  }
  const [cause, change] = adviceOf[code] ?? brokenOff;
  return { found: `no answer: ${message}`, cause, change };
}
