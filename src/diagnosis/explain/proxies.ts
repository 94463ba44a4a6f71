import { type Answer, headerOf } from '../remote/send-request.js';

/** A proxy that the doctor can tell from others. */
export type ProxyName = 'nginx' | 'caddy' | 'apache' | 'haproxy' | 'traefik';

/** What to change in a proxy, as sentences or as the names of its directives. */
export interface Directives {
  /** Has the path and the query passed on as the client sent them. */
  readonly passUnchanged: string;
  readonly noBodyLimit: string;
  readonly noBuffering: string;
  readonly noFilters: string;
  readonly waitForFiler: string;
  readonly waitForClient: string;
  readonly noPassword: string;
  readonly route: string;
  /** Names the address of prosody-filer. */
  readonly address: string;
  readonly refusing: string;
  readonly settingRequestHeaders: string;
  readonly removingHeaders: string;
  readonly addingHeaders: string;
}

/** For nginx, and for a proxy that is not known: then its operator at least has the names of nginx to look up. */
const nginx: Directives = {
  passUnchanged: 'Set proxy_pass http://127.0.0.1:5050; with nothing after the port: no path, no $uri, no $1.',
  noBodyLimit: 'Set client_max_body_size 0; in the location.',
  noBuffering: 'Set proxy_request_buffering off; and proxy_http_version 1.1; in the location.',
  noFilters: 'Set gzip off; in the location and remove filters from it (brotli, sub_filter, ssi, image_filter).',
  waitForFiler: 'Raise proxy_read_timeout and proxy_send_timeout in the location.',
  waitForClient: 'Raise client_body_timeout.',
  noPassword: 'Set auth_basic off; in the location.',
  route: "Compare the location's path with the URL's path, and server_name with the URL's host.",
  address: 'proxy_pass',
  refusing: 'deny, limit_except',
  settingRequestHeaders: 'proxy_set_header',
  removingHeaders: 'proxy_hide_header',
  addingHeaders: 'add_header',
};

const directives: Readonly<Record<ProxyName, Directives>> = {
  nginx,
  caddy: {
    passUnchanged: 'Use reverse_proxy in handle, not in handle_path, and remove uri and rewrite.',
    noBodyLimit: 'Remove max_size of request_body.',
    noBuffering: 'Remove request_buffers (before Caddy 2.7, buffer_requests) from reverse_proxy.',
    noFilters: 'Remove encode, templates and replace from the site.',
    waitForFiler: 'Remove read_timeout, write_timeout and response_header_timeout from transport http.',
    waitForClient: 'Remove read_body from timeouts in the global options.',
    noPassword: 'Remove basic_auth from the site.',
    route: "Compare the path of reverse_proxy with the URL's path, and the site's address with the URL's host.",
    address: 'reverse_proxy',
    refusing: 'respond, abort, error',
    settingRequestHeaders: 'header_up, request_header',
    removingHeaders: 'header_down, header',
    addingHeaders: 'header, header_down',
  },
  apache: {
    passUnchanged:
      'Set AllowEncodedSlashes NoDecode and ProxyPass /upload/ http://127.0.0.1:5050/upload/ nocanon in the VirtualHost. Do not use RewriteRule for it.',
    noBodyLimit: 'Set LimitRequestBody 0 in the VirtualHost.',
    noBuffering: 'Remove SetInputFilter and mod_security from the VirtualHost.',
    noFilters: 'Set SetEnv no-gzip 1 and SetEnv no-brotli 1, and remove other filters (SetOutputFilter, Substitute).',
    waitForFiler: 'Raise ProxyTimeout.',
    waitForClient: 'Set RequestReadTimeout body=0, and raise Timeout.',
    noPassword: 'Remove AuthType and Require valid-user for this path.',
    route: "Compare the path of ProxyPass with the URL's path, and ServerName with the URL's host.",
    address: 'ProxyPass',
    refusing: 'Require, Limit',
    settingRequestHeaders: 'RequestHeader',
    removingHeaders: 'Header unset',
    addingHeaders: 'Header set, Header add',
  },
  haproxy: {
    passUnchanged: 'Remove http-request set-path, set-query, set-uri, replace-path, replace-uri and normalize-uri.',
    noBodyLimit: 'Remove the rule that compares req.body_size or Content-Length.',
    noBuffering: 'Remove option http-buffer-request.',
    noFilters: 'Remove filter compression and compression algo.',
    waitForFiler: 'Raise timeout server.',
    waitForClient: 'Raise timeout client.',
    noPassword: 'Remove http-request auth.',
    route: "Compare the conditions of use_backend with the URL's path and host.",
    address: 'the server line',
    refusing: 'http-request deny, tcp-request content reject',
    settingRequestHeaders: 'http-request set-header, http-request del-header',
    removingHeaders: 'http-response del-header',
    addingHeaders: 'http-response set-header, http-response add-header',
  },
  traefik: {
    passUnchanged: 'Remove the middlewares stripPrefix, addPrefix and replacePath, and allow encodedCharacters.',
    noBodyLimit: 'Remove the middleware buffering.',
    noBuffering: 'Remove the middleware buffering.',
    noFilters: 'Remove the middleware compress.',
    waitForFiler: 'Raise responseHeaderTimeout of the serversTransport.',
    waitForClient: 'Set readTimeout: 0 in respondingTimeouts of the entry point.',
    noPassword: 'Remove the middlewares basicAuth, digestAuth and forwardAuth.',
    route: "Compare the rule of the router with the URL's path and host.",
    address: 'the URL of the service',
    refusing: 'the middleware ipAllowList',
    settingRequestHeaders: 'customRequestHeaders',
    removingHeaders: 'customResponseHeaders',
    addingHeaders: 'customResponseHeaders, accessControlAllowOriginList',
  },
};

/** How `Server` and `Via` begin, or contain, the name of a proxy. */
const names: readonly (readonly [RegExp, ProxyName])[] = [
  [/^(nginx|openresty|angie)\b/i, 'nginx'],
  [/\bcaddy\b/i, 'caddy'],
  [/^apache\b/i, 'apache'],
  [/\bhaproxy\b/i, 'haproxy'],
  [/\btraefik\b/i, 'traefik'],
];

/** How the error pages of those begin that do not say their name in a header. */
const pages: readonly (readonly [RegExp, ProxyName])[] = [
  [/^<html><body><h1>\d{3} /, 'haproxy'],
  [/^(404 page not found|Bad Gateway|Gateway Timeout|Service Unavailable|no available server)\n?$/, 'traefik'],
];

/** The proxy that passed on or wrote an answer; `undefined` if nothing in it tells. */
export function recogniseProxy(answer: Answer): ProxyName | undefined {
  const headers = [headerOf(answer, 'server'), headerOf(answer, 'via')];
  const page = answer.body.subarray(0, 100).toString('latin1');
  const [, proxy] =
    names.find(([pattern]) => headers.some((text) => pattern.test(text))) ??
    pages.find(([pattern]) => pattern.test(page)) ??
    [];
  return proxy;
}

/** What to change in this proxy; for an unknown one in the words of nginx. */
export function directivesOf(proxy: ProxyName | undefined): Directives {
  return directives[proxy ?? 'nginx'];
}
