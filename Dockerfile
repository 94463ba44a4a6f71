# Build it with: docker build --tag prosody-filer .
# Mount the configuration at /etc/prosody-filer/config.toml, with listenPort = ":5050" and storeDir below /var/lib/prosody-filer.

FROM node:24-alpine AS build
WORKDIR /build
COPY package.json npm-shrinkwrap.json tsconfig.json ./
RUN npm ci --ignore-scripts
COPY src src
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:24-alpine
WORKDIR /opt/prosody-filer
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
# A new volume inherits the owner of this folder.
RUN install -d -o node -g node -m 0700 /var/lib/prosody-filer
VOLUME /var/lib/prosody-filer
# The image's user "node". Kubernetes needs the number to see that it is not root.
USER 1000:1000
EXPOSE 5050
# This checks only that the server answers. /healthz of metricsListen also checks that uploads can be stored.
HEALTHCHECK --interval=60s --timeout=5s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:5050/', { method: 'OPTIONS' }).then(({ ok }) => process.exit(ok ? 0 : 1))"]
# Without a shell or npm in between, Node.js receives the signals itself and lets running transfers end.
ENTRYPOINT ["node", "--no-incremental-marking", "/opt/prosody-filer/dist/main.js"]
CMD ["serve", "--config", "/etc/prosody-filer/config.toml"]
