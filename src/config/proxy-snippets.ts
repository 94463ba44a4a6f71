/** The lines for each proxy but nginx, for clients that reach prosody-filer at this URL. */
const snippets = {
  caddy: ({ host, pathname }: URL) => `${host} {
    reverse_proxy ${pathname}* 127.0.0.1:5050
}`,
  apache: ({ pathname }: URL) => `Protocols h2 http/1.1
# Without these two, Apache decodes and encodes the path again, but the tokens sign the path as the client sent it.
AllowEncodedSlashes NoDecode
ProxyPass ${pathname} http://127.0.0.1:5050${pathname} nocanon
# prosody-filer checks the size, and how long an upload may take.
LimitRequestBody 0
RequestReadTimeout body=0
# A slow client may receive nothing for long.
Timeout 1800
# With compression, a download has no ranges.
SetEnv no-gzip 1`,
  haproxy: ({ pathname }: URL) => `frontend https
    mode http
    bind :443 ssl crt /etc/haproxy/uploads.pem alpn h2,http/1.1
    timeout http-request 1m
    # A slow client may receive nothing for long.
    timeout client 30m
    option forwardfor
    # Only needed with ejabberd: since 25.08 it hands out URLs with raw UTF-8.
    option accept-invalid-http-request
    use_backend prosody_filer if { path_beg ${pathname} }

backend prosody_filer
    mode http
    timeout connect 5s
    timeout server 5m
    server prosody_filer 127.0.0.1:5050`,
} as const;

/** A proxy for which `init` prints lines, beside nginx. */
export type OtherProxy = keyof typeof snippets;

/** Their names. */
export const otherProxies = Object.keys(snippets) as OtherProxy[];

/** The lines for this proxy. */
export function proxySnippet(proxy: OtherProxy, baseUrl: string): string {
  return snippets[proxy](new URL(baseUrl));
}
