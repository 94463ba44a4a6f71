import type { CauseAndChange, Problem } from '../finding.js';
import { type NoAnswerError, NoStoreError } from '../remote/send-request.js';

const nobodyListens: CauseAndChange = [
  'The proxy does not run or listens elsewhere, or a firewall rejects the connection.',
  "Start the proxy, and compare the URL's port with its listen directive.",
];
const unknownName: CauseAndChange = [
  'The name is mistyped or has no A or AAAA record.',
  "Check the name's DNS records.",
];
const unreachable: CauseAndChange = [
  'A firewall drops the packets, or the DNS record leads to another host.',
  "Open the port, and compare the name's A and AAAA records with the host's addresses.",
];
const selfSigned: CauseAndChange = [
  'Clients do not know the authority that signed the certificate.',
  'Get a certificate from a public authority. If you use your own, run doctor with NODE_EXTRA_CA_CERTS=/path/ca.pem.',
];
const incompleteChain: CauseAndChange = [
  'nginx does not send the intermediate certificate, or your own authority signed the certificate.',
  'Give nginx the full chain: ssl_certificate …/fullchain.pem; or run doctor with NODE_EXTRA_CA_CERTS=/path/ca.pem.',
];
const notTls: CauseAndChange = [
  'The port speaks another protocol: plain http, or a TLS version that this machine does not accept.',
  "Set listen … ssl; with the URL's port and ssl_protocols TLSv1.2 TLSv1.3; in nginx's server block.",
];
const brokenOff: CauseAndChange = [
  'The proxy or prosody-filer closed the connection, because of a time limit or a crash.',
  "Look at the proxy's error log and at the log of prosody-filer.",
];

const through = 's3.download = "proxy", and upload = "filer" in [component].';

const adviceOf: Readonly<Record<string, CauseAndChange>> = {
  CERT_HAS_EXPIRED: [
    'The certificate was not renewed, or nginx has not loaded the new one.',
    'Renew the certificate and reload nginx.',
  ],
  CERT_NOT_YET_VALID: ['The clock of this machine is wrong.', "Set this machine's clock (NTP)."],
  DEPTH_ZERO_SELF_SIGNED_CERT: selfSigned,
  EAI_AGAIN: ['The DNS resolver does not answer.', "Check this machine's /etc/resolv.conf."],
  ECONNREFUSED: nobodyListens,
  ECONNRESET: brokenOff,
  EHOSTUNREACH: unreachable,
  ENETUNREACH: unreachable,
  ENOTFOUND: unknownName,
  EPIPE: brokenOff,
  EPROTO: notTls,
  ERR_SSL_WRONG_VERSION_NUMBER: notTls,
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'The certificate is for another name, or nginx chose another server block.',
    "Get a certificate for the URL's host, and set server_name to that host.",
  ],
  ETIMEDOUT: unreachable,
  HPE_INVALID_CONSTANT: [
    'The port speaks https, or a protocol other than HTTP.',
    'Use https:// and the right port in the URL.',
  ],
  SELF_SIGNED_CERT_IN_CHAIN: selfSigned,
  SILENT: [
    'The proxy or prosody-filer hangs, or a firewall on the way drops packets.',
    "Look at the proxy's error log and at the log of prosody-filer.",
  ],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: selfSigned,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: incompleteChain,
};

/** Explains why no answer came, by the code of the error. */
export function explainNoAnswer(error: NoAnswerError): Problem {
  const { code, message } = error;
  if (error instanceof NoStoreError) {
    return {
      found: `No answer from ${error.origin}, where clients reach the store: ${message}`,
      cause: 'Clients connect to the store themselves, and not all can reach it.',
      change: `Open the store to clients, with a certificate that they trust. Or send all transfers through prosody-filer: ${through}`,
    };
  }
  const [cause, change] = adviceOf[code] ?? brokenOff;
  return { found: `No answer: ${message}`, cause, change };
}
