# Build it with: docker build --tag prosody-filer .
# Mount the configuration at /etc/prosody-filer/config.toml, with listenPort = ":5050" and storeDir below /var/lib/prosody-filer.

FROM node:24-alpine AS build
WORKDIR /build
COPY package.json npm-shrinkwrap.json tsconfig.json ./
RUN npm ci --ignore-scripts
COPY .ci/build.ts .ci/
COPY src src
RUN npm run build

FROM node:24-alpine
WORKDIR /opt/prosody-filer
COPY --from=build /build/package.json ./
COPY --from=build /build/dist dist
# A new volume inherits owner and mode of this folder. nginx in another container may read the uploads if it has the volume.
RUN install -d -o node -g node -m 0755 /var/lib/prosody-filer
VOLUME /var/lib/prosody-filer
# The image's user "node". Kubernetes needs the number to see that it is not root.
USER 1000:1000
EXPOSE 5050
# This checks only that the server answers. /healthz of metricsListen also checks that uploads can be stored. A shell is
# enough: a Node.js of its own would cost 150 ms of CPU time and 60 MiB at each check.
HEALTHCHECK --interval=60s --timeout=5s --start-period=10s \
  CMD printf 'OPTIONS / HTTP/1.0\r\n\r\n' | nc -w 5 127.0.0.1 5050 | grep -q '^HTTP/1.1 204 '
# Without a shell or npm in between, Node.js receives the signals itself and lets running transfers end.
ENTRYPOINT ["node", "--no-incremental-marking", "--max-semi-space-size=4", "/opt/prosody-filer/dist/main.js"]
CMD ["serve", "--config", "/etc/prosody-filer/config.toml"]
