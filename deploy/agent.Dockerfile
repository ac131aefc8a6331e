# The agent, for hosts that run everything in containers. It needs the host's
# devices: see the agent profile in docker-compose.yml.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/ ./cmd/stickpress-agent

FROM debian:12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates wimtools ntfs-3g dosfstools mtools \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /out/stickpress-agent /usr/local/bin/
VOLUME /var/lib/stickpress-agent
ENTRYPOINT ["stickpress-agent"]
CMD ["run"]
