//! DescribeCluster (KIP-700): the brokers that Metadata would tell without topics.

use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{BrokerId, DescribeClusterRequest, DescribeClusterResponse};

use super::exchange::{Answer, Context, Exchange, Refusal, Request, Started, default_deadline, respond, text};
use super::metadata::ANCHOR;
use crate::config::HostPort;
use crate::kafka::header::RequestHeader;
use crate::topics::leader::FindLeader;
use crate::topics::name::PulsarTopic;
use crate::topics::node::node_id;

/// Begins to look up this broker's own address.
pub fn start(request: Request, context: &mut Context<'_>) -> Result<Started, Refusal> {
    request.decode::<DescribeClusterRequest>()?;
    let anchor = PulsarTopic::internal(&context.io.shared.config, ANCHOR);
    let own_address = FindLeader::new(&anchor, &mut context.io);
    let deadline = default_deadline(context);
    Ok(Started { exchange: Box::new(DescribeCluster { header: request.header, own_address }), deadline })
}

struct DescribeCluster {
    header: RequestHeader,
    own_address: FindLeader,
}

impl DescribeCluster {
    fn response(&self, own: Option<HostPort>, context: &Context<'_>) -> Answer {
        let config = &context.io.shared.config;
        let brokers: Vec<_> = own
            .or_else(|| context.io.client.endpoints.reached.clone())
            .into_iter()
            .chain(context.io.shared.leaders.addresses())
            .map(|address| {
                DescribeClusterBroker::default()
                    .with_broker_id(BrokerId(node_id(&address, config)))
                    .with_host(text(address.host))
                    .with_port(i32::from(address.port))
            })
            .fold(Vec::new(), |mut brokers, broker| {
                if !brokers.contains(&broker) {
                    brokers.push(broker);
                }
                brokers
            });
        let controller = brokers.first().map_or(BrokerId(-1), |broker| broker.broker_id);
        let response = DescribeClusterResponse::default()
            .with_endpoint_type(1)
            .with_cluster_id(text(config.cluster_id.clone()))
            .with_controller_id(controller)
            .with_cluster_authorized_operations(i32::MIN)
            .with_brokers(brokers);
        respond(&self.header, &response)
    }
}

impl Exchange for DescribeCluster {
    fn poll(&mut self, context: &mut Context<'_>) -> Option<Answer> {
        let own = self.own_address.poll(&mut context.io)?.ok().map(|address| HostPort::clone(&address));
        Some(self.response(own, context))
    }

    fn expire(&mut self, context: &mut Context<'_>) -> Answer {
        self.response(None, context)
    }
}
