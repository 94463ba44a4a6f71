/** The values in the snippets for other servers. */
export interface SnippetValues {
  /** With its trailing slash, as `parseBaseUrl` gives it. */
  readonly baseUrl: string;
  readonly secret: string;
  readonly deleteSecret: string;
}

/** Lines for the configurations of the XMPP servers, with these values. The README has some of them. */
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
  };
}
