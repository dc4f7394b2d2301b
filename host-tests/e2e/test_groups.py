"""Consumer groups with real clients: members share partitions, come and go in order or not, and every record is read."""

import pytest

CLIENTS = ["java", "java-2.8", "librdkafka", "franz-go", "kafka-python", "kafkajs"]


@pytest.mark.parametrize("name", [pytest.param("java", marks=pytest.mark.smoke), *CLIENTS[1:]])
def test_members_share_partitions_and_read_each_record_once_as_they_come_and_go(group, name):
    first = group.joined(name)
    written = group.write_and_read()
    assert first.owned == group.partitions

    second = group.joined(name)
    written += group.write_and_read()
    assert len(first.owned) == len(second.owned) == 2

    group.leave(second)
    group.wait_shared()
    written += group.write_and_read()
    group.leave(first)

    group.joined(name)
    written += group.write_and_read()
    assert sorted(group.values()) == sorted(written), "each record once, and offsets went on where they were"
