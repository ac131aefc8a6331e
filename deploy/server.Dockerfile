# The console. Needs a Postgres: set DATABASE_URL (docker-compose.yml does).
FROM node:20-bookworm-slim AS assets
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web/ ./
RUN npm run build

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=assets /src/web/static/dist/ web/static/dist/
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/ ./cmd/stickpress

FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates wimtools \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --home-dir /var/lib/stickpress --create-home --uid 10001 stickpress
COPY --from=build /out/stickpress /usr/local/bin/
USER stickpress
VOLUME /var/lib/stickpress
EXPOSE 8080
ENTRYPOINT ["stickpress"]
CMD ["serve"]
