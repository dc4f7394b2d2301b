"""Pulsar's admin REST, as far as the tests need it. Topics are partitions: `persistent://public/default/T-partition-0` is T, 0."""

import json
import urllib.request

NAMESPACE = "/admin/v2/namespaces/public/default"


class PulsarAdmin:
    def __init__(self, url):
        self.url = url

    def call(self, method, path, body=None):
        """The answer's JSON, or None where there is none."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    @staticmethod
    def partition(topic, partition=0):
        return f"/admin/v2/persistent/public/default/{topic}-partition-{partition}"

    def unload(self, topic, partition=0):
        self.call("PUT", f"{self.partition(topic, partition)}/unload")

    def internal_stats(self, topic, partition=0):
        return self.call("GET", f"{self.partition(topic, partition)}/internalStats")

    def stats(self, topic, partition=0):
        return self.call("GET", f"{self.partition(topic, partition)}/stats")

    def compact(self, topic, partition=0):
        self.call("PUT", f"{self.partition(topic, partition)}/compaction")

    def compaction_status(self, topic, partition=0):
        return self.call("GET", f"{self.partition(topic, partition)}/compaction")["status"]

    def keep_nothing(self, topic):
        """Let the topic drop what no subscription needs: a topic-level policy."""
        self.call("POST", f"/admin/v2/persistent/public/default/{topic}/retention", {"retentionTimeInMinutes": 0, "retentionSizeInMB": 0})

    def trim(self, topic, partition=0):
        self.call("POST", f"{self.partition(topic, partition)}/trim")

    def suit_kafka(self):
        """The namespace policies the filter needs on a broker whose configuration is untouched."""
        self.call("POST", f"{NAMESPACE}/retention", {"retentionTimeInMinutes": -1, "retentionSizeInMB": -1})
        self.call("POST", f"{NAMESPACE}/deduplication", True)
        keep = {"inactiveTopicDeleteMode": "delete_when_no_subscriptions", "maxInactiveDurationSeconds": 3600, "deleteWhileInactive": False}
        self.call("POST", f"{NAMESPACE}/inactiveTopicPolicies", keep)
        create = {"allowAutoTopicCreation": True, "topicType": "partitioned", "defaultNumPartitions": 1}
        self.call("POST", f"{NAMESPACE}/autoTopicCreation", create)
