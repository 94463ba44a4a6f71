/** The values in the snippets for other servers. */
export interface SnippetValues {
  /** With its trailing slash, as `parseBaseUrl` gives it. */
  readonly baseUrl: string;
  readonly secret: string;
  readonly deleteSecret: string;
}

/** Lines for the configurations of the XMPP servers and nginx, as the README has them, with these values. */
export function makeSnippets({ baseUrl, secret, deleteSecret }: SnippetValues) {
  return {
    prosodyExternal: `Component "upload.example.org" "http_upload_external"
    http_upload_external_base_url = "${baseUrl}"
    http_upload_external_secret = "${secret}"
    http_upload_external_protocol = "v2"
    http_upload_external_file_size_limit = 100 * 1024 * 1024`,
    prosodyFileShare: `Component "upload.example.org" "http_file_share"
    http_file_share_base_url = "${baseUrl}"
    http_file_share_secret = "${secret}"
    http_file_share_size_limit = 100 * 1024 * 1024
    http_file_share_expires_after = 28 * 24 * 60 * 60`,
    ejabberd: `modules:
  mod_http_upload:
    put_url: "${baseUrl.replace(/\/$/, '')}"
    external_secret: "${secret}"
    max_size: 104857600`,
    metronome: `Component "upload.example.org" "http_upload_external"
    http_file_external_url = "${baseUrl}"
    http_file_external_delete_url = "${baseUrl}"
    http_file_secret = "${secret}"
    http_file_delete_secret = "${deleteSecret}"`,
    nginx: `# How long nginx waits for a client that receives nothing: the system holds several MB for a slow one. With HTTP/2 this
# has no effect inside the location.
send_timeout 30m;
location ${new URL(baseUrl).pathname} {
    # No path here: nginx would decode it, and the tokens sign the path as the client sent it.
    proxy_pass http://127.0.0.1:5050;
    proxy_http_version 1.1;
    # The client's address, for the log and for fair shares. Set trustProxy = ["127.0.0.1"] in config.toml.
    proxy_set_header X-Forwarded-For $remote_addr;
    # Turn off buffering in both directions: no upload and no download goes through a temporary file.
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
    # prosody-filer checks the size, and its 413 has the CORS headers that nginx's own 413 lacks.
    client_max_body_size 0;
    # How far an HTTP/2 client may send ahead. With nginx's 64 KiB, a client 100 ms away takes six times as long.
    client_body_buffer_size 512k;
    # How long nginx waits for prosody-filer while the disk is busy.
    proxy_send_timeout 5m;
    proxy_read_timeout 5m;
}`,
  };
}
