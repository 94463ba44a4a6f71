import { mkdirSync } from 'node:fs';
import { userInfo } from 'node:os';
import { nginxOfInit } from '../support/init-lines.js';
import { type NginxLayout, nginxExample } from '../support/nginx-example.js';

/** What stands in nginx: the lines of `init`, or a layout of nginx.example.conf. */
export type Front = 'init' | NginxLayout;

/** An nginx with two workers and these servers; temporary files lie on the disk of the uploads. */
function nginxWith(folder: string, servers: string): string {
  const names = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const temporary = names.map((name) => `${name}_temp_path ${folder}/${name};`);
  return `daemon off;
${userInfo().uid === 0 ? 'user root;' : ''}
worker_processes 2;
worker_rlimit_nofile 8192;
pid ${folder}/nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off;
  include /etc/nginx/mime.types;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  client_max_body_size 0;
  ${temporary.join('\n  ')}
  ${servers}
}
`;
}

/**
 * Plain nginx: uploads by WebDAV without a token, downloads by sendfile, and its own md5 links to have something to
 * refuse.
 */
export function nginxConfig(folder: string, port: number): string {
  return nginxWith(
    folder,
    `server {
    listen 127.0.0.1:${port};
    root ${folder};
    location /upload/ {
      dav_methods PUT;
      create_full_put_path on;
    }
    location /refuse/ {
      secure_link $arg_md5;
      secure_link_md5 "$uri a secret of the benchmark";
      if ($secure_link = "") { return 403; }
      dav_methods PUT;
    }
  }`,
  );
}

/** An nginx in front of the filer, without TLS. */
export function nginxFrontConfig(folder: string, port: number, front: Front, filerPort: number): string {
  const [address, filer, storeDir] = [`127.0.0.1:${port}`, `127.0.0.1:${filerPort}`, `${folder}/store`];
  if (front !== 'init') return nginxWith(folder, nginxExample(front, { address, filer, storeDir }));
  const [inServer, beforeServer] = nginxOfInit({ origin: `http://${filer}`, storeDir });
  return nginxWith(folder, `${beforeServer}\nserver { listen ${address};\n${inServer}\n}`);
}

/** Prosody with nothing but mod_http_file_share, whose uploads and downloads it serves itself. */
export function prosodyConfig(folder: string, port: number, secret: string): string {
  mkdirSync(`${folder}/data`);
  mkdirSync(`${folder}/certs`);
  return `
run_as_root = true
pidfile = ${JSON.stringify(`${folder}/prosody.pid`)}
data_path = ${JSON.stringify(`${folder}/data`)}
certificates = "certs"
log = { { levels = { min = "warn" }, to = "console" } }
interfaces = { "127.0.0.1" }
c2s_ports = {}
s2s_ports = {}
https_ports = {}
http_ports = { ${port} }
http_interfaces = { "127.0.0.1" }
modules_disabled = { "s2s", "c2s" }
VirtualHost "localhost"
Component "upload" "http_file_share"
http_file_share_secret = ${JSON.stringify(secret)}
http_file_share_size_limit = 1024 * 1024 * 1024
`;
}
