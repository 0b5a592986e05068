# syntax=docker/dockerfile:1

FROM python:3.11-slim AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# The tools of the build stay in this stage, apart from what the program needs.
COPY requirements-build.lock ./
RUN python -m venv /build \
    && /build/bin/python -m pip install --require-hashes -r requirements-build.lock

COPY requirements.lock ./
RUN python -m venv --without-pip /opt/flatbed \
    && /build/bin/uv pip install --no-cache --compile-bytecode --python /opt/flatbed/bin/python \
        --require-hashes -r requirements.lock

COPY pyproject.toml LICENSE ./
COPY flatbed ./flatbed
RUN /build/bin/python -m hatchling build -t wheel -d /wheel \
    && /build/bin/uv pip install --no-cache --offline --compile-bytecode --no-deps \
        --python /opt/flatbed/bin/python /wheel/*.whl

FROM python:3.11-slim
RUN useradd --system --uid 10001 --create-home --home-dir /srv/flatbed --shell /usr/sbin/nologin flatbed
COPY --from=build /opt/flatbed /opt/flatbed
WORKDIR /srv/flatbed
COPY migrations ./migrations

ENV PATH=/opt/flatbed/bin:$PATH PYTHONUNBUFFERED=1 FLATBED_MIGRATIONS=/srv/flatbed/migrations
USER 10001
EXPOSE 8000
# /healthz needs neither database nor token; the image needs no curl to ask it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
CMD ["flatbed", "serve", "--host", "0.0.0.0", "--port", "8000"]
