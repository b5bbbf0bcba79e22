# Pin the base by digest where you build for production: python:3.11-slim-bookworm@sha256:...
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/run.txt requirements/
# What the sidecar needs goes into /opt/tidegate; the build backend stays behind in this stage.
RUN python -m venv --without-pip /opt/tidegate \
    && pip --python /opt/tidegate install --require-hashes --only-binary :all: -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY proxy proxy
RUN pip --python /opt/tidegate install --no-deps --no-build-isolation . \
    && pip --python /opt/tidegate uninstall --yes setuptools wheel packaging

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="tidegate" \
      org.opencontainers.image.description="An egress sidecar that knows the third-party APIs behind it" \
      org.opencontainers.image.licenses="Apache-2.0"
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
