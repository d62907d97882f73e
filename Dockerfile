FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /data --shell /usr/sbin/nologin latchkey \
    && install -d -o latchkey -g latchkey -m 0700 /data
COPY --from=build /src/target/release/latchkey /usr/local/bin/latchkey

# The file with the policy is mounted; the database lives on a volume.
ENV LISTEN=0.0.0.0:8080 \
    LATCHKEY_CONFIG=/etc/latchkey/latchkey.toml \
    DATABASE_URL=sqlite:///data/latchkey.db
USER latchkey
WORKDIR /data
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["latchkey"]
CMD ["serve"]
