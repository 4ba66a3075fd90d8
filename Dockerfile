# Agentic Trading in a container: docker build -t agentic . && docker run -p 8080:8080 -v agentic:/data agentic
# State, the embedded database included, is kept in the volume /data.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
RUN python -m venv /opt/agentic
COPY requirements/base.lock requirements/base.lock
RUN /opt/agentic/bin/pip install --no-deps -r requirements/base.lock
COPY . .
RUN /opt/agentic/bin/pip install --no-deps .

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home agentic && install --directory --owner agentic --mode 0700 /data
COPY --from=build /opt/agentic /opt/agentic
ENV PATH=/opt/agentic/bin:$PATH AGENTIC_HOME=/data AGENTIC_WEB_HOST=0.0.0.0
USER agentic
WORKDIR /data
VOLUME /data
EXPOSE 8080
CMD ["agentic", "up"]
