FROM node:24-slim AS package
WORKDIR /app
COPY package.json package-lock.json tsconfig.json ./
RUN npm ci --no-audit --no-fund --ignore-scripts
COPY src ./src
RUN node src/deploy/build.ts && npm prune --omit=dev --no-audit --no-fund --ignore-scripts && npm cache clean --force

FROM node:24-slim
ENV NODE_ENV=production NODE_COMPILE_CACHE=/tmp/audgate-compile-cache
WORKDIR /app
COPY --from=package /app/node_modules ./node_modules
COPY --from=package /app/dist ./dist
COPY package.json ./
COPY src/cli/audgate.js ./src/cli/audgate.js
# The package managers of the base image are not needed at run time.
RUN rm -rf /usr/local/lib/node_modules /opt/yarn* /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/yarn* \
  && ln -s /app/src/cli/audgate.js /usr/local/bin/audgate \
  && install -d -o node -g node -m 0700 /data
USER node
VOLUME /data
EXPOSE 8080 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9090/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["audgate"]
CMD ["serve", "/etc/audgate/routes.yaml"]
