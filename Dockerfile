# Targets: web (the API, the dashboard, the dispatcher; no torch) and worker.
FROM python:3.11-slim AS web
WORKDIR /darkroom
COPY constraints.txt pyproject.toml README.md ./
COPY api api
COPY darkroom darkroom
COPY dashboard dashboard
COPY diffusion diffusion
COPY dispatcher dispatcher
COPY formats formats
COPY jobs jobs
COPY migrations migrations
COPY reports reports
COPY synthetic synthetic
COPY worker worker
RUN pip install --no-cache-dir --constraint constraints.txt --upgrade pip \
    && pip install --no-cache-dir --constraint constraints.txt --build-constraint constraints.txt \
        '.[postgresql]' \
    && useradd --system --create-home darkroom \
    && install --directory --owner darkroom --group darkroom /data /artifacts
USER darkroom
WORKDIR /data
ENTRYPOINT ["darkroom"]
CMD ["web"]

FROM web AS worker
USER root
# One with CPU wheels makes a smaller image: --build-arg TORCH_INDEX=…
ARG TORCH_INDEX=""
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} \
    --constraint /darkroom/constraints.txt torch \
    && pip install --no-cache-dir --constraint /darkroom/constraints.txt typst nvidia-ml-py
USER darkroom
CMD ["worker"]
