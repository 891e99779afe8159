# One image for the API, the worker and the migrations; the command tells which.
# A tag, for its fixes. Give a digest where each build has to be the same: docs/upgrades.md.
ARG BASE=python:3.11-slim
FROM ${BASE}

ENV PYTHONUNBUFFERED=1
# With it Python's compiled files name a hash of their source and not its time: the same in each build. docs/releases.md.
ARG SOURCE_DATE_EPOCH=0
WORKDIR /app

# requirements-tracing.lock has the packages for traces, too: docs/tracing.md.
ARG LOCK=requirements.lock
COPY ${LOCK} .
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r ${LOCK}

# .dockerignore lets in only what production runs.
COPY . .
# The commit that is built, for accounts_build_info: docker build --build-arg COMMIT=$(git rev-parse HEAD)
ARG COMMIT=unknown
RUN echo "${COMMIT}" > service/commit \
    && python -m compileall -q service worker \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin accounts \
    # WORKER_STATE in compose.yaml: a new volume takes over whose folder this is.
    && install --directory --owner=10001 --mode=0700 /var/lib/accounts
USER 10001

EXPOSE 8080
# Health checks stand in compose.yaml: they differ between the API and the worker.
CMD ["python", "-m", "service", "serve"]
