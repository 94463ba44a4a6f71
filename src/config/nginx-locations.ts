/** What stands before nginx's server block. nginx.example.conf has the same settings. */
export const nginxUpstream = `upstream prosody_filer {
    server 127.0.0.1:5050;
    # How many idle connections nginx keeps for the next requests. A new one for each takes several times as long.
    keepalive 32;
}`;

/** The internal location by which nginx sends the files of an absolute `storeDir`. */
export function internalLocation(accelRedirect: string, storeDir: string): string {
  return `# nginx sends the files of downloads that prosody-filer has allowed. Set accelRedirect = "${accelRedirect}" in config.toml.
location ${accelRedirect} {
    internal;
    # storeDir, with a slash at its end.
    alias ${storeDir.replace(/\/*$/, '/')};
    gzip off;
    # nginx drops these headers of prosody-filer's answer. Cache-Control has no "always", so that no error is cached.
    add_header Cache-Control $upstream_http_x_accel_cache_control;
    add_header X-Content-Type-Options $upstream_http_x_content_type_options always;
    add_header Content-Security-Policy $upstream_http_content_security_policy always;
    add_header Access-Control-Allow-Origin $upstream_http_access_control_allow_origin always;
    add_header Access-Control-Allow-Methods $upstream_http_access_control_allow_methods always;
    add_header Access-Control-Allow-Headers $upstream_http_access_control_allow_headers always;
    add_header Access-Control-Expose-Headers $upstream_http_access_control_expose_headers always;
    add_header Access-Control-Max-Age $upstream_http_access_control_max_age always;
}`;
}

/** The locations of nginx for clients that reach prosody-filer at this URL. */
export function nginxLocations(baseUrl: string, accelRedirect: string, storeDir: string): string {
  return `# A slow client may receive nothing for long, since the system holds several MB for it.
send_timeout 30m;
location ${new URL(baseUrl).pathname} {
    # No path here: nginx would decode it, and the tokens sign the path as the client sent it.
    proxy_pass http://prosody_filer;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    # The client's address, for the log and for fair shares. Set trustProxy = ["127.0.0.1"] in config.toml.
    proxy_set_header X-Forwarded-For $remote_addr;
    # No upload and no download goes through a temporary file. prosody-filer checks the size.
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    client_max_body_size 0;
    # How far an HTTP/2 client may send ahead. With nginx's 64 KiB, a client 100 ms away takes six times as long.
    client_body_buffer_size 512k;
    # How long nginx waits for prosody-filer while the disk is busy.
    proxy_send_timeout 5m;
    proxy_read_timeout 5m;
    # With compression, a download has no ranges.
    gzip off;
}
${internalLocation(accelRedirect, storeDir)}`;
}
