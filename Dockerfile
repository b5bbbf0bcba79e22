# The same sources, bases and SOURCE_DATE_EPOCH give the same layers:
#
#   docker buildx build --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" \
#     --output type=image,name=tidegate,rewrite-timestamp=true .
#
# Tags move. Where it counts, pin both bases by digest: --build-arg BASE=python:3.11-slim-bookworm@sha256:...
ARG BUILD=python:3.11-bookworm
ARG BASE=python:3.11-slim-bookworm

# The same Python as in the base, and a strip for the libraries' debug information.
FROM ${BUILD} AS build
ARG SOURCE_DATE_EPOCH=0
WORKDIR /src
COPY requirements/run.txt requirements/
COPY deploy/install.sh deploy/
COPY pyproject.toml README.md LICENSE ./
COPY proxy proxy
RUN --mount=type=cache,target=/root/.cache/pip STRIP="strip" sh deploy/install.sh /opt/tidegate

FROM ${BASE}
LABEL org.opencontainers.image.title="tidegate" \
      org.opencontainers.image.description="An egress sidecar that knows the third-party APIs behind it" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
COPY --from=build /opt/tidegate /opt/tidegate
# Nothing is written at run time, so that the root file system may be read-only.
ENV PATH=/opt/tidegate/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# By number: Kubernetes' runAsNonRoot cannot judge a name.
USER 65532:65532
# Admin only. The egress listener stays on the container's own loopback, which the service shares in a Pod; for
# compose see `network_mode: "service:..."`.
EXPOSE 4781
HEALTHCHECK --interval=10s --timeout=2s --start-period=5s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:4781/livez', timeout=1)"]
# Exec form: SIGTERM reaches tidegate itself, which drains.
ENTRYPOINT ["tidegate"]
CMD ["run", "--config", "/etc/tidegate/tidegate.yaml"]
