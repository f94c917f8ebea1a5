# reasoner with vLLM, on a CPU or a GPU:
#   docker build -t reasoner .                        # CPU
#   docker build -t reasoner --build-arg EXTRA=gpu .  # NVIDIA GPU; run with --gpus all
#   docker run --rm reasoner solve 'cd:12,3,25,7,4=306' --task countdown
#   docker run --rm -p 8000:8000 -e REASONER_API_KEY=... reasoner serve --host 0.0.0.0
FROM python:3.11-slim-bookworm

ARG EXTRA=cpu
SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# The sandbox of code verifiers is bubblewrap; vLLM compiles kernels with gcc.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --no-install-recommends --yes bubblewrap gcc g++ \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/reasoner
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY reasoner reasoner
COPY search search
COPY verifiers verifiers
COPY benchmarks benchmarks
RUN pip install --no-cache-dir uv==0.13.9 \
    && if [ "$EXTRA" = cpu ]; then from=(--torch-backend cpu --constraints constraints.txt); else from=(); fi \
    && uv pip install --system --no-cache "${from[@]}" ".[$EXTRA,serve,bench]" \
    && rm -rf /opt/reasoner

RUN useradd --create-home reasoner
USER reasoner
WORKDIR /home/reasoner
ENTRYPOINT ["reasoner"]
